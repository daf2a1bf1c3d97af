"""Rows of a source's file, with the row's number for messages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.errors import ConfigurationError, InputFileError
from streamer.data.files.kind import compression_of
from streamer.data.files.streams import reading


def require_file(file: Path | None, source: str, expected: str) -> Path:
    """The file that was given; raises ``ConfigurationError`` that says which one ``source`` needs."""
    if file is None:
        raise ConfigurationError(f"{source} needs a file: --from FILE, {expected}.")
    return file


def wrong_cell(path: Path, row: int, column: str, value: object, expected: str) -> InputFileError:
    """What to raise for a cell that is not what was expected."""
    return InputFileError(f"{path}, row {row}, column {column}: {value!r} is not {expected}.")


def number(path: Path, row: int, column: str, text: str) -> float:
    """The finite number that a cell holds; raises ``InputFileError``."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise wrong_cell(path, row, column, text, "a number")
    return value


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their number from 1 and their line ends, of .gz and .zst uncompressed; blank ones left out.

    Characters that are not UTF-8 are replaced: they occur only in columns that nobody reads. Raises
    ``InputFileError``.
    """
    with reading(path, compression_of(path)) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        for row, line in enumerate(text, start=1):
            if line.strip():
                yield row, line


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The cells of ``columns``, which the header must name, with the number of the row's last line.

    Other columns are ignored. Raises ``InputFileError``.
    """
    with reading(path, compression_of(path)) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        rows = csv.reader(text, strict=True)
        try:
            header = next(rows, [])
            places = _places(path, header, columns)
            for cells in rows:
                if len(cells) == len(header):
                    yield rows.line_num, [cells[place] for place in places]
                elif cells:
                    raise InputFileError(
                        f"{path}, row {rows.line_num}: {len(cells)} cells under {len(header)} columns."
                    )
        except csv.Error as error:
            raise InputFileError(f"{path}, after row {rows.line_num}: not CSV: {error}") from error


def _places(path: Path, header: list[str], columns: Sequence[str]) -> list[int]:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputFileError(
            f"{path}, row 1: no column {', '.join(missing)}; expected a header with {', '.join(columns)}."
        )
    return [header.index(name) for name in columns]
