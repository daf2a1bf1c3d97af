"""What pipelines put around a record, named: whoever sends it can take it off, a reader should not guess."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import MalformedEventError

_REGISTRY_FRAME_BYTES: Final = 5
_CONNECT: Final = frozenset({"schema", "payload"})
_DEBEZIUM: Final = (frozenset({"before", "after", "op"}), frozenset({"after", "op", "source"}))
_MARKS: Final = (b'"payload"', b'"after"')

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def wrapper_of(value: bytes) -> str | None:
    """A sentence about what is around ``value`` and what to do about it; ``None`` where nothing known is."""
    if len(value) > _REGISTRY_FRAME_BYTES and value[0] == 0:
        schema_id = int.from_bytes(value[1:_REGISTRY_FRAME_BYTES])
        return (
            f"The record begins with a zero byte and the id {schema_id} of a Confluent Schema Registry, "
            "as its serializers write it: send plain JSON or MessagePack instead, in Kafka Connect with a "
            "value.converter of org.apache.kafka.connect.json.JsonConverter and schemas.enable false."
        )
    if not any(mark in value for mark in _MARKS):
        return None
    try:
        names = _FIELDS.decode(value).keys()
    except (ValueError, RecursionError):
        return None
    if names >= _CONNECT:
        return (
            "The record is an envelope of Kafka Connect, an object of schema and payload, and no event: set "
            "value.converter.schemas.enable to false, so that the payload alone is sent."
        )
    if any(names >= change for change in _DEBEZIUM):
        return (
            "The record is a change of a database row as Debezium writes it, with op, before and after, "
            "and no event: use its transformation ExtractNewRecordState, and name the columns as the "
            "fields of an event."
        )
    return None


def naming_wrapper(error: MalformedEventError, value: bytes) -> MalformedEventError:
    """``error``, or one of its class that names what is around ``value``, where that is known."""
    found = wrapper_of(value)
    return error if found is None else MalformedEventError(error.error_class, found)
