"""Events from CSV: one event a row, of no item or one; more items as JSON in the column ``items``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from schemas.errors import InputFileError
from schemas.event import MAX_EVENT_BYTES, Event, Skipped
from streamer.data.files.fields import (
    COLUMNS,
    NUMBER_COLUMNS,
    REQUIRED_COLUMNS,
    is_unknown_type,
    require_columns,
    row_event,
)
from streamer.data.files.kind import Compression
from streamer.data.files.streams import reading


def csv_events(path: Path, compression: Compression | None) -> Iterator[Event | Skipped]:
    """Decode row by row; an empty cell is an absent field. Raises ``InputFileError``."""
    # The default of 128 KiB is less than the contract allows a text or a list of items to be.
    csv.field_size_limit(MAX_EVENT_BYTES)
    with reading(path, compression) as stream:
        rows = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)
        try:
            header = next(rows, [])
            _require_header(path, header)
            unknown_columns = len(set(header).difference(COLUMNS))
            for cells in rows:
                if cells:
                    fields = _fields(path, rows.line_num, header, cells)
                    yield row_event(path, rows.line_num, fields, unknown_columns)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputFileError(f"{path}, after row {rows.line_num}: not CSV in UTF-8: {error}") from error


def _require_header(path: Path, header: list[str]) -> None:
    require_columns(path, header)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputFileError(f"{path} has the column {', '.join(twice)} more than once.")


def _fields(path: Path, row: int, header: list[str], cells: list[str]) -> dict[str, object]:
    if len(cells) != len(header):
        raise InputFileError(f"{path}, row {row}: {len(cells)} cells under {len(header)} columns.")
    row_of = dict(zip(header, cells, strict=True))
    wanted = REQUIRED_COLUMNS if is_unknown_type(row_of["type"]) else COLUMNS
    fields: dict[str, object] = {}
    for name, text in row_of.items():
        if not text or name not in wanted:
            continue
        try:
            fields[name] = _value(name, text)
        except (ValueError, RecursionError) as error:
            raise InputFileError(f"{path}, row {row}, column {name}: {error}.") from error
    return fields


def _value(name: str, text: str) -> object:
    if name in NUMBER_COLUMNS:
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is not a number, written as 1234.5") from error
    if name == "timestamp" and text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    if name == "items":
        return msgspec.json.decode(text)
    return text
