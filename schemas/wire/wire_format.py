"""The encodings that an event on Kafka may have, and what msgspec reads each with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from schemas.errors import MalformedEventError
from schemas.event import (
    EventEnvelope,
    EventMessage,
    Item,
    StrictEventMessage,
)

JSON: Final = "application/json"
MESSAGE_PACK: Final = "application/msgpack"


_EVENT_FIELDS: Final = frozenset(StrictEventMessage.__struct_fields__)
_ITEM_FIELDS: Final = frozenset(Item.__struct_fields__)


class WireFormat(NamedTuple):
    """The decoders of one content type."""

    name: str
    strict: msgspec.json.Decoder[StrictEventMessage] | msgspec.msgpack.Decoder[StrictEventMessage]
    lenient: msgspec.json.Decoder[EventMessage] | msgspec.msgpack.Decoder[EventMessage]
    envelope: msgspec.json.Decoder[EventEnvelope] | msgspec.msgpack.Decoder[EventEnvelope]
    fields: msgspec.json.Decoder[dict[str, msgspec.Raw]] | msgspec.msgpack.Decoder[dict[str, msgspec.Raw]]
    item_fields: (
        msgspec.json.Decoder[list[dict[str, msgspec.Raw]] | None]
        | msgspec.msgpack.Decoder[list[dict[str, msgspec.Raw]] | None]
    )


JSON_FORMAT: Final = WireFormat(
    "JSON",
    msgspec.json.Decoder(StrictEventMessage),
    msgspec.json.Decoder(EventMessage),
    msgspec.json.Decoder(EventEnvelope),
    msgspec.json.Decoder(dict[str, msgspec.Raw]),
    msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None),
)
_MESSAGE_PACK: Final = WireFormat(
    "MessagePack",
    msgspec.msgpack.Decoder(StrictEventMessage),
    msgspec.msgpack.Decoder(EventMessage),
    msgspec.msgpack.Decoder(EventEnvelope),
    msgspec.msgpack.Decoder(dict[str, msgspec.Raw]),
    msgspec.msgpack.Decoder(list[dict[str, msgspec.Raw]] | None),
)
FORMATS: Final[dict[str | None, WireFormat]] = {
    None: JSON_FORMAT,
    JSON: JSON_FORMAT,
    MESSAGE_PACK: _MESSAGE_PACK,
}


def content_type_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The value of the last ``content-type`` header that has one, or None where there is none."""
    found = None
    for name, value in headers:
        if name == "content-type" and value is not None:
            found = value
    return None if found is None else found.decode("ascii", "replace")


def wire_format_of(content_type: str | None) -> WireFormat:
    """The encoding of a content type; raises :class:`MalformedEventError` for one that is not known."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    wire_format = FORMATS.get(media_type)
    if wire_format is None:
        raise MalformedEventError(
            "content-type",
            f"The content type {media_type[:80]!r} is not known; send {JSON} or {MESSAGE_PACK}.",
        )
    return wire_format


def count_unknown_fields(wire_format: WireFormat, value: bytes) -> int:
    """Fields of an event and of its items that the contract does not have."""
    fields = wire_format.fields.decode(value)
    unknown = sum(name not in _EVENT_FIELDS for name in fields)
    if "items" in fields:
        for item in wire_format.item_fields.decode(fields["items"]) or ():
            unknown += sum(name not in _ITEM_FIELDS for name in item)
    return unknown
