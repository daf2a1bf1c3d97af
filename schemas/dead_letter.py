"""The headers of a dead letter. Its key and value are the record's own bytes, untouched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from schemas.errors import MalformedEventError
from schemas.wire.encoding import Headers

MAX_ERROR_MESSAGE_BYTES: Final = 1_000

ERROR_CLASS: Final = "error-class"
ERROR_MESSAGE: Final = "error-message"
SOURCE_TOPIC: Final = "source-topic"
SOURCE_PARTITION: Final = "source-partition"
SOURCE_OFFSET: Final = "source-offset"
ATTEMPTS: Final = "attempts"

REDRIVEN_FROM: Final = "redriven-from"
"""Of a record that was sent again: the offset of the one that failed, in the same partition of its topic."""

DEAD_LETTER_HEADERS: Final = (
    ERROR_CLASS,
    ERROR_MESSAGE,
    SOURCE_TOPIC,
    SOURCE_PARTITION,
    SOURCE_OFFSET,
    ATTEMPTS,
)

LEFT_OUT: Final = "left-out"
"""Of a dead letter that would have been too large: what of the record it does not hold."""

_RESERVED: Final = frozenset({*DEAD_LETTER_HEADERS, LEFT_OUT})


class DeadLetter(Struct, frozen=True, rename="kebab"):
    """What the headers of a dead letter say, by their names; all values are UTF-8 text on the wire."""

    error_class: Annotated[str, Meta(min_length=1, description="short, stable cause")]
    error_message: str
    source_topic: Annotated[str, Meta(min_length=1)]
    source_partition: Annotated[int, Meta(ge=0)]
    source_offset: Annotated[int, Meta(ge=0)]
    attempts: Annotated[int, Meta(ge=1, description="how often the record has failed")]
    left_out: Annotated[
        str,
        Meta(
            description="what of the record is not in its dead letter, because it would be too large: "
            "`value`, `key`, `headers` or a whole `batch`, each with the number of its bytes and their "
            "SHA-256, as in `value 314572800 sha256:0123…`, with `; ` between two of them"
        ),
    ] = ""


def read_dead_letter(headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
    """What a dead letter's headers say; raises ``ValueError`` for headers that are not a dead letter's."""
    texts = {name: value.decode() for name, value in headers if name in _RESERVED and value is not None}
    return msgspec.convert(texts, DeadLetter, strict=False)


def dead_letter_headers(
    error: MalformedEventError,
    topic: str,
    partition: int,
    offset: int,
    original: Iterable[tuple[str, bytes | None]] = (),
    left_out: str = "",
) -> Headers:
    """The record's own headers, then the six that say what was wrong with it and where it lies.

    ``left_out``: what of the record its dead letter does not hold, in a header of its own.

    A record that was put back and failed again carries the six of its last failure: they are replaced, and
    ``attempts`` counts on.
    """
    kept = tuple(original)
    return (
        *(header for header in kept if header[0] not in _RESERVED),
        *(((LEFT_OUT, left_out.encode()),) if left_out else ()),
        (ERROR_CLASS, error.error_class.encode()),
        (ERROR_MESSAGE, _cut(str(error).encode("utf-8", "backslashreplace"))),
        (SOURCE_TOPIC, topic.encode()),
        (SOURCE_PARTITION, str(partition).encode()),
        (SOURCE_OFFSET, str(offset).encode()),
        (ATTEMPTS, str(attempts_of(kept) + 1).encode()),
    )


def redriven_headers(letter: DeadLetter, headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """Headers for a dead letter's record that is sent again: its own, its ``attempts``, where it failed."""
    return (
        *((name, v) for name, v in headers if name not in _RESERVED and name != REDRIVEN_FROM),
        (ATTEMPTS, str(letter.attempts).encode()),
        (REDRIVEN_FROM, str(letter.source_offset).encode()),
    )


def redriven_from(headers: Iterable[tuple[str, bytes | None]]) -> int | None:
    """The offset of the record that this one was sent again for; ``None`` for any other record."""
    for name, value in headers:
        if name == REDRIVEN_FROM and value is not None and value.isdigit() and len(value) <= 19:
            return int(value)
    return None


def attempts_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """How often a record has failed so far, by its ``attempts`` header; 0 without a readable one."""
    attempts = 0
    for name, value in headers:
        if name == ATTEMPTS and value is not None and value.isdigit() and len(value) <= 9:
            attempts = int(value)
    return attempts


def _cut(message: bytes) -> bytes:
    return message[:MAX_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore").encode()
