"""The columns of a file of events: names, in the order they are written, and what each holds."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from schemas.decoding import event_of_fields
from schemas.errors import InputFileError, MalformedEventError
from schemas.event import Event, Item, Skipped, StrictEventMessage
from schemas.timestamps import parse_timestamp

COLUMNS: Final = StrictEventMessage.__struct_fields__
ITEM_COLUMNS: Final = Item.__struct_fields__
REQUIRED_COLUMNS: Final = ("event_id", "user_id", "type", "timestamp")
IDENTIFIER_COLUMNS: Final = frozenset({"event_id", "user_id", "session_id", "item_id"})
NUMBER_COLUMNS: Final = frozenset({"value", "duration_ms", "rating", "price", "quantity"})

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


def row_event(path: Path, row: int, fields: dict[str, object], unknown_columns: int) -> Event | Skipped:
    """The event of one row (counted from 1); raises ``InputFileError`` that names row and column."""
    try:
        return event_of_fields(fields, LATEST_RECORD_MS, unknown_columns)
    except MalformedEventError as error:
        raise InputFileError(f"{path}, row {row}: {error}") from error
