"""A request to forget a user."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from schemas.errors import MalformedEventError
from schemas.event import Identifier
from schemas.malformed import malformed_by_decoder
from schemas.parts import Timestamp


class ErasureRequest(Struct, frozen=True, kw_only=True):
    """Forget ``user_id``: state, scores and open alerts."""

    user_id: Identifier
    requested_at: Timestamp
    request_id: Annotated[str, Meta(min_length=1, description="the sender's own, for its records")]


_DECODER: Final = msgspec.json.Decoder(ErasureRequest)


def decode_erasure(value: bytes | None) -> ErasureRequest:
    """Decode one record of the erasure topic; raises ``MalformedEventError`` and nothing else."""
    if value is None:
        raise MalformedEventError("null-value", "The record has no value; an erasure request is an object.")
    try:
        return _DECODER.decode(value)
    except (ValueError, RecursionError) as error:
        raise malformed_by_decoder(error, "JSON") from error
