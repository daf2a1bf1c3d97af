"""The fields of an event in a file, in the order they are written, and what the row that has them is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.errors import MalformedEventError
from schemas.event import EVENT_TYPE_CODES, Event, Item, Skipped, StrictEventMessage
from schemas.timestamps import format_timestamp
from schemas.wire.decoding import MAX_AHEAD_MS, event_of_fields
from streamer.data.files.formats.epoch import LATEST_MS, kind_of_time, time_advice
from streamer.data.files.rows import FUTURE, UNKNOWN_TYPE, LeftOut, Row, Unreadable

COLUMNS: Final = StrictEventMessage.__struct_fields__
ITEM_COLUMNS: Final = Item.__struct_fields__
REQUIRED_COLUMNS: Final = ("event_id", "user_id", "type", "timestamp")
IDENTIFIER_COLUMNS: Final = frozenset({"event_id", "user_id", "session_id", "item_id"})
NUMBER_COLUMNS: Final = frozenset({"value", "duration_ms", "rating", "price", "quantity"})

LATEST_RECORD_MS: Final = LATEST_MS - MAX_AHEAD_MS
"""Stands for a record's Kafka timestamp where there is no record: no time is too far ahead."""

_FIELD_AT_FAULT: Final = re.compile(r"at `\$\.?([^`]*)`|required field `([^`]*)`|event's (\w+) holds")
_IMPLAUSIBLE: Final = frozenset({"timestamp-too-early", "timestamp-in-future"})
_HOW_TIMES_ARE_WRITTEN: Final = (
    " Write times with their zone, as 2017-03-02T18:04:11Z (RFC 3339), or as epoch milliseconds."
)


class Written(msgspec.Struct):
    """Type and time of a row as they are written, whatever they are."""

    type: object = None
    timestamp: object = None


def is_unknown_type(event_type: object) -> bool:
    """Whether it is a type that nobody knows: of such an event only the required columns are checked."""
    return isinstance(event_type, str) and bool(event_type) and event_type not in EVENT_TYPE_CODES


class Place(NamedTuple):
    """Where a row is: its file, what a row is called there, its number (from 1), what a field is called."""

    path: Path
    row_name: str
    row: int
    field_name: str

    def __str__(self) -> str:
        return f"{self.path}, {self.row_name} {self.row}"


def row_event(path: Path, row: int, fields: dict[str, object], unknown_columns: int, latest_ms: int) -> Row:
    """What one row of a table (counted from 1) is; an event after ``latest_ms`` (epoch ms) is left out."""
    if is_unknown_type(fields.get("type")):
        fields = {name: value for name, value in fields.items() if name in REQUIRED_COLUMNS}
    try:
        outcome = event_of_fields(fields, LATEST_RECORD_MS, unknown_columns)
    except MalformedEventError as error:
        outcome = error
    if isinstance(outcome, Event) and outcome.timestamp <= latest_ms:
        return outcome
    return no_event(
        outcome, Written(fields.get("type"), fields.get("timestamp")), Place(path, "row", row, "column")
    )


def no_event(
    outcome: Event | Skipped | MalformedEventError, written: Written, place: Place
) -> LeftOut | Unreadable:
    """Why a row is not taken, whose time is too far ahead where it decodes as an event."""
    if isinstance(outcome, Event):
        return LeftOut(FUTURE, format_timestamp(outcome.timestamp), str(place))
    if isinstance(outcome, Skipped):
        return LeftOut(UNKNOWN_TYPE, str(written.type), str(place))
    kind, field = outcome.error_class, field_at_fault(outcome)
    message = str(outcome)
    if kind in _IMPLAUSIBLE and isinstance(written.timestamp, int):
        kind, message = kind_of_time(written.timestamp), time_advice(written.timestamp)
    elif kind == "timestamp-in-future":
        return LeftOut(FUTURE, str(written.timestamp), str(place))
    elif kind == "bad-timestamp":
        message += _HOW_TIMES_ARE_WRITTEN
    at = f", {place.field_name} {field}" if field else ""
    return Unreadable(kind, field, f"{place}{at}: {message}")


def field_at_fault(error: MalformedEventError) -> str | None:
    """The field that the error is about, as ``value`` or ``items[0].price``; None where it is the whole."""
    if error.error_class.startswith("timestamp-"):
        return "timestamp"
    named = _FIELD_AT_FAULT.search(str(error))
    return (named[1] or named[2] or named[3] or None) if named else None
