"""Bytes of the erasure topic to requests to forget a user."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.erasure import ErasureRequest
from schemas.errors import MalformedEventError
from schemas.wire.decoding import BYTE_ORDER_MARK, EARLIEST_TIMESTAMP_MS, MAX_AHEAD_MS
from schemas.wire.malformed import malformed_by_decoder, malformed_id
from schemas.wire.unread import UNREAD_CLASS, Unread

MAX_REQUEST_BYTES: Final = 64 * 1024

_DECODER: Final = msgspec.json.Decoder(ErasureRequest)


def decode_erasure(value: bytes | None, record_timestamp_ms: int) -> ErasureRequest:
    """Decode and check one record of the erasure topic; raises ``MalformedEventError`` and nothing else.

    ``record_timestamp_ms``: the record's Kafka timestamp, ahead of which the request may be a day at most, as
    with an event: it would silence the user until then.
    """
    if isinstance(value, Unread):
        raise MalformedEventError(UNREAD_CLASS, value.reason)
    if value is None:
        raise MalformedEventError("null-value", "The record has no value; an erasure request is an object.")
    if len(value) > MAX_REQUEST_BYTES:
        raise MalformedEventError(
            "too-large", f"The request has {len(value)} bytes; the most is {MAX_REQUEST_BYTES}."
        )
    try:
        request = _DECODER.decode(value.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise malformed_by_decoder(error, "JSON") from error
    if "\0" in request.user_id:
        raise malformed_id("user_id")
    try:
        requested_ms = request.requested_ms
    except ValueError as error:
        raise MalformedEventError(
            "bad-timestamp", "The request's requested_at is not a time: write it like 2017-03-02T18:04:11Z."
        ) from error
    if requested_ms < EARLIEST_TIMESTAMP_MS:
        raise MalformedEventError("timestamp-too-early", "The request's requested_at is before 1990.")
    if requested_ms > record_timestamp_ms + MAX_AHEAD_MS:
        raise MalformedEventError(
            "timestamp-in-future",
            "The request's requested_at is more than a day ahead of its record's time.",
        )
    return request
