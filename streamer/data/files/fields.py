"""The columns of a file of events: names, in the order they are written, and what each holds."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from schemas.decoding import event_of_fields
from schemas.errors import InputFileError, MalformedEventError
from schemas.event import EVENT_TYPE_CODES, Event, Item, Skipped, StrictEventMessage
from schemas.timestamps import parse_timestamp

COLUMNS: Final = StrictEventMessage.__struct_fields__
ITEM_COLUMNS: Final = Item.__struct_fields__
REQUIRED_COLUMNS: Final = ("event_id", "user_id", "type", "timestamp")
IDENTIFIER_COLUMNS: Final = frozenset({"event_id", "user_id", "session_id", "item_id"})
NUMBER_COLUMNS: Final = frozenset({"value", "duration_ms", "rating", "price", "quantity"})

_FIELD_AT_FAULT: Final = re.compile(r"at `\$\.?([^`]*)`|required field `([^`]*)`|event's (\w+) holds")

LATEST_RECORD_MS: Final = parse_timestamp("9999-12-30T00:00:00Z")
"""Stands for a record's Kafka timestamp where there is no record: no time is too far ahead."""


def require_columns(path: Path, present: Collection[str]) -> None:
    """Raise ``InputFileError`` unless all required columns are there."""
    missing = [name for name in REQUIRED_COLUMNS if name not in present]
    if missing:
        raise InputFileError(
            f"{path} has no column {', '.join(missing)}; every file of events needs "
            f"{', '.join(REQUIRED_COLUMNS)}."
        )


def is_unknown_type(event_type: object) -> bool:
    """Whether it is a type that nobody knows: of such an event only the required columns are checked."""
    return isinstance(event_type, str) and bool(event_type) and event_type not in EVENT_TYPE_CODES


def row_event(path: Path, row: int, fields: dict[str, object], unknown_columns: int) -> Event | Skipped:
    """The event of one row (counted from 1); raises ``InputFileError`` that names row and column."""
    if is_unknown_type(fields.get("type")):
        fields = {name: value for name, value in fields.items() if name in REQUIRED_COLUMNS}
    try:
        return event_of_fields(fields, LATEST_RECORD_MS, unknown_columns)
    except MalformedEventError as error:
        field = field_at_fault(error)
        column = f", column {field}" if field else ""
        raise InputFileError(f"{path}, row {row}{column}: {error}{time_hint(error)}") from error


def field_at_fault(error: MalformedEventError) -> str | None:
    """The field that the error is about, as ``value`` or ``items[0].price``; None where it is the whole."""
    if error.error_class.startswith("timestamp-"):
        return "timestamp"
    named = _FIELD_AT_FAULT.search(str(error))
    return (named[1] or named[2] or named[3] or None) if named else None


def time_hint(error: MalformedEventError) -> str:
    """How times are written, where the error is about one that is not."""
    if error.error_class != "bad-timestamp":
        return ""
    return " Write times with their zone, as 2017-03-02T18:04:11Z (RFC 3339), or as epoch milliseconds."
