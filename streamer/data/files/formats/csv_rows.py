"""Events from CSV: one event a row, of no item or one; more items as JSON in the column ``items``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import InputFileError
from schemas.event import MAX_EVENT_BYTES
from streamer.data.files.formats.columns import columns_of
from streamer.data.files.formats.csv_dialect import dialect_of, named_separator
from streamer.data.files.formats.fields import NUMBER_COLUMNS, REQUIRED_COLUMNS, is_unknown_type, row_event
from streamer.data.files.formats.ndjson_lines import without_nan
from streamer.data.files.kind import Compression
from streamer.data.files.rows import Row, Unreadable
from streamer.data.files.streams import reading

_ABSENT: Final = "\\N"
"""Hive's and MySQL's way to write that a cell holds nothing."""
_UNKNOWN_NUMBERS: Final = frozenset({"nan", "null", "none", "na", "n/a"})


def csv_rows(path: Path, compression: Compression | None, latest_ms: int) -> Iterator[Row]:
    """Decode row by row; an empty cell is an absent field. The header tells the separator.

    ``latest_ms``: later events are left out. Raises ``InputFileError`` where the file is no such table.
    """
    # The default of 128 KiB is less than the contract allows a text or a list of items to be.
    csv.field_size_limit(MAX_EVENT_BYTES)
    with reading(path, compression) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        before, rows = 0, csv.reader(text)
        try:
            first = text.readline()
            separator = named_separator(first)
            if separator is not None:
                before, first = 1, text.readline()
            dialect = dialect_of(first, separator)
            rows = csv.reader(
                chain([first] if first else [], text),
                delimiter=dialect.separator,
                skipinitialspace=dialect.blanks_follow,
                strict=True,
            )
            header = [name.strip() for name in next(rows, [])]
            columns = columns_of(path, header)
            unknown_columns = len(set(header)) - len(columns)
            for cells in rows:
                if not cells:
                    continue
                row = before + rows.line_num
                if len(cells) != len(header):
                    found = f"{len(cells)} cells under {len(header)} columns."
                    yield Unreadable("wrong-number-of-cells", None, f"{path}, row {row}: {found}")
                    continue
                fields = _fields(path, row, columns, cells)
                if isinstance(fields, Unreadable):
                    yield fields
                else:
                    yield row_event(path, row, fields, unknown_columns, latest_ms)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputFileError(
                f"{path}, after row {before + rows.line_num}: not CSV in UTF-8: {error}"
            ) from error


def _fields(
    path: Path, row: int, columns: dict[str, int], cells: list[str]
) -> dict[str, object] | Unreadable:
    only_required = is_unknown_type(cells[columns["type"]])
    fields: dict[str, object] = {}
    for name, place in columns.items():
        text = cells[place]
        if not text or text == _ABSENT or (only_required and name not in REQUIRED_COLUMNS):
            continue
        try:
            value = _value(name, text)
        except (ValueError, RecursionError) as error:
            return Unreadable("wrong-type", name, f"{path}, row {row}, column {name}: {error}.")
        if value is not None:
            fields[name] = value
    return fields


def _value(name: str, text: str) -> object:
    if name in NUMBER_COLUMNS:
        try:
            number = float(text)
        except ValueError as error:
            if text.strip().casefold() in _UNKNOWN_NUMBERS:
                return None
            raise ValueError(f"{text!r} is not a number, written as 1234.5") from error
        return None if isnan(number) else number
    if name == "timestamp" and text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    if name == "items":
        return msgspec.json.decode(without_nan(text.encode()))
    return text
