"""Bytes from Kafka to an ``Event``: whatever arrives ends as an event, a skip or a ``MalformedEventError``.

One pass of msgspec reads and checks the whole record. A decoder that knows no other fields goes first; only
a record that it refuses is read again by the one that ignores unknown fields, which are then counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, cast

import msgspec

from schemas.errors import MalformedEventError
from schemas.event import (
    EVENT_TYPE_CODES,
    MAX_EVENT_BYTES,
    Event,
    EventMessage,
    Item,
    ItemMessage,
    Skipped,
    StrictEventMessage,
)
from schemas.timestamps import to_epoch_ms
from schemas.units import DAY_MS
from schemas.vendors import VENDORS, Vendor
from schemas.vendors.loose_values import unknown_type
from schemas.wire.malformed import malformed_by_decoder, malformed_id, malformed_time
from schemas.wire.unread import UNREAD_CLASS, Unread
from schemas.wire.wire_format import (
    FORMATS,
    JSON,
    JSON_FORMAT,
    WireFormat,
    count_unknown_fields,
    wire_format_of,
)
from schemas.wire.wrappers import naming_wrapper, wrapper_of

EventFormat = Literal["contract", "segment", "snowplow", "ga4"]
"""Whose events a topic carries: the contract's own, or a platform's."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some writers of UTF-8 begin with it; it is no part of a JSON text."""

EARLIEST_TIMESTAMP_MS: Final = 631_152_000_000
"""1990-01-01T00:00:00Z. Earlier times are seconds taken for milliseconds, or unset clocks."""

MAX_AHEAD_MS: Final = DAY_MS
"""How far an event may be ahead of its record's Kafka timestamp."""


def decode_event(
    value: bytes | None,
    content_type: str | None,
    record_timestamp_ms: int,
    event_format: EventFormat = "contract",
) -> Event | Skipped:
    """Decode and check one record of the events topic.

    ``content_type`` is the header's text; None means JSON. ``record_timestamp_ms`` is the record's Kafka
    timestamp, ahead of which the event may be a day at most. Returns ``Skipped`` for a type that is not in
    ``EVENT_TYPES``; of such an event only the four required fields are checked. Where an event has both
    ``items`` and an item at the top level, ``items`` counts. A platform's events are JSON only; those of
    nobody known are skipped, too, and their unknown fields are not counted.

    Raises ``MalformedEventError`` and nothing else.
    """
    wire_format = FORMATS.get(content_type) or wire_format_of(content_type)
    if not value:
        if isinstance(value, Unread):
            raise MalformedEventError(UNREAD_CLASS, value.reason)
        if value is None:
            raise MalformedEventError("null-value", "The record has no value; an event is an object.")
    if len(value) > MAX_EVENT_BYTES:
        raise MalformedEventError(
            "too-large", f"The event has {len(value)} bytes; the most is {MAX_EVENT_BYTES}."
        )
    if wire_format is JSON_FORMAT and not value.isascii():
        value = value.removeprefix(BYTE_ORDER_MARK)
        _require_utf8(value)
    if event_format != "contract":
        if wire_format is not JSON_FORMAT:
            raise MalformedEventError("content-type", f"Events of {event_format} come as {JSON}.")
        return _decode_vendor(event_format, value, record_timestamp_ms)
    unknown_fields = 0
    try:
        message = wire_format.strict.decode(value)
    except (ValueError, RecursionError):
        lenient = _decode_leniently(wire_format, value, record_timestamp_ms)
        if isinstance(lenient, Skipped):
            return lenient
        message, unknown_fields = lenient
    # In JSON a NUL is always escaped, and most records escape nothing.
    may_have_nul = wire_format is not JSON_FORMAT or b"\\" in value
    return _event_of(message, unknown_fields, record_timestamp_ms, may_have_nul=may_have_nul)


def event_of_fields(
    fields: Mapping[str, object], record_timestamp_ms: int, unknown_fields: int = 0
) -> Event | Skipped:
    """The event of a row of a table; ``fields`` has only names of the contract, the checks are the same.

    Raises ``MalformedEventError``.
    """
    try:
        message = msgspec.convert(fields, StrictEventMessage)
    except (ValueError, RecursionError) as error:
        raise malformed_by_decoder(error, "row") from error
    return _event_of(message, unknown_fields, record_timestamp_ms)


def _decode_vendor(vendor: Vendor, value: bytes, record_timestamp_ms: int) -> Event | Skipped:
    try:
        event = _read_vendor(vendor, value, record_timestamp_ms)
    except MalformedEventError as error:
        if (found := wrapper_of(value)) is None:
            raise
        raise MalformedEventError(error.error_class, found) from error
    if isinstance(event, Skipped) and (found := wrapper_of(value)) is not None:
        raise MalformedEventError("missing-field", found)
    return event


def _read_vendor(vendor: Vendor, value: bytes, record_timestamp_ms: int) -> Event | Skipped:
    try:
        fields = VENDORS[vendor](value, record_timestamp_ms)
    except (ValueError, RecursionError) as error:
        raise malformed_by_decoder(error, "JSON") from error
    if isinstance(fields, Skipped):
        return fields
    readable, unreadable = _readable(fields)
    event = event_of_fields(readable, record_timestamp_ms)
    if unreadable and isinstance(event, Event):
        return msgspec.structs.replace(event, unreadable=unreadable)
    return event


def _readable(fields: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The fields without the amounts that could not be read, which are NaN, and the names of those."""
    kept = {name: value for name, value in fields.items() if value == value}
    unreadable = [name for name in fields if name not in kept]
    items: list[dict[str, object]] = []
    for item in cast("list[dict[str, object]]", fields.get("items", [])):
        items.append({name: value for name, value in item.items() if value == value})
        unreadable += [name for name in item if name not in items[-1]]
    if "items" in kept:
        kept["items"] = items
    return kept, tuple(sorted(set(unreadable)))


def _event_of(
    message: StrictEventMessage, unknown_fields: int, record_timestamp_ms: int, *, may_have_nul: bool = True
) -> Event | Skipped:
    timestamp = _checked_time(message.timestamp, record_timestamp_ms)
    if message.type not in EVENT_TYPE_CODES:
        return unknown_type(message.type, message.user_id)
    items = message.items or _top_level_item(message)
    if may_have_nul:
        _refuse_nul(message.event_id, message.user_id, message.session_id, items)
    return Event(
        message.event_id,
        message.user_id,
        message.type,
        timestamp,
        items,
        message.value,
        message.currency,
        message.duration_ms,
        message.rating,
        message.text,
        message.query,
        message.session_id,
        unknown_fields,
    )


def _require_utf8(value: bytes) -> None:
    # The decoder checks only the strings that it keeps; the rest of the record must be text as well.
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise naming_wrapper(malformed_by_decoder(error, "JSON"), value) from error


def _decode_leniently(
    wire_format: WireFormat, value: bytes, record_timestamp_ms: int
) -> tuple[EventMessage, int] | Skipped:
    """The slow path: unknown fields, an unknown type of another shape, or a malformed record."""
    try:
        message = wire_format.lenient.decode(value)
        unknown_fields = count_unknown_fields(wire_format, value)
    except (ValueError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError):
            skipped = _of_unknown_type(wire_format, value, record_timestamp_ms)
            if skipped is not None:
                return skipped
        raise naming_wrapper(malformed_by_decoder(error, wire_format.name), value) from error
    if message.items:
        plain = tuple(_plain_item(item) for item in message.items)
        message = msgspec.structs.replace(message, items=plain)
    return message, unknown_fields


def _of_unknown_type(wire_format: WireFormat, value: bytes, record_timestamp_ms: int) -> Skipped | None:
    try:
        envelope = wire_format.envelope.decode(value)
    except (ValueError, RecursionError):
        return None
    _checked_time(envelope.timestamp, record_timestamp_ms)
    return None if envelope.type in EVENT_TYPE_CODES else unknown_type(envelope.type, envelope.user_id)


def _plain_item(item: Item | ItemMessage) -> Item:
    return Item(item.item_id, item.category, item.brand, item.price, item.quantity)


def _top_level_item(message: StrictEventMessage) -> tuple[Item, ...]:
    item = Item(message.item_id, message.category, message.brand, message.price, message.quantity)
    return () if item == _NO_ITEM else (item,)


_NO_ITEM: Final = Item()


def _checked_time(timestamp: int | datetime, record_timestamp_ms: int) -> int:
    epoch_ms = timestamp if isinstance(timestamp, int) else to_epoch_ms(timestamp)
    if not EARLIEST_TIMESTAMP_MS <= epoch_ms <= record_timestamp_ms + MAX_AHEAD_MS:
        raise malformed_time(epoch_ms, EARLIEST_TIMESTAMP_MS, record_timestamp_ms)
    return epoch_ms


def _refuse_nul(event_id: str, user_id: str, session_id: str | None, items: tuple[Item, ...]) -> None:
    if "\0" in event_id:
        raise malformed_id("event_id")
    if "\0" in user_id:
        raise malformed_id("user_id")
    if session_id is not None and "\0" in session_id:
        raise malformed_id("session_id")
    for item in items:
        if item.item_id is not None and "\0" in item.item_id:
            raise malformed_id("item_id")
