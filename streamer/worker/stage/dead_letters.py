"""A refused record as its dead letter: whole where that fits, else what it holds by hash and length."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from schemas.dead_letter import ATTEMPTS, attempts_of, dead_letter_headers
from schemas.errors import MalformedEventError
from schemas.wire.encoding import Headers
from schemas.wire.unread import Unread
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.repartition import Origin

# For the letter's own headers and Kafka's framing; and a part of the whole, by which what does not compress
# grows when it is compressed.
_ROOM_BYTES: Final = 16 * 1024
_GROWTH: Final = 1 / 32
_HEADER_FRAME_BYTES: Final = 10


class DeadLetters:
    """Writes to ``topic``, whose messages may have ``most_bytes``."""

    def __init__(self, topic: str, most_bytes: int) -> None:
        self._topic = topic
        self._most_bytes = int(most_bytes * (1 - _GROWTH)) - _ROOM_BYTES

    def of(self, record: Record, error: MalformedEventError, source_topic: str, place: Origin) -> Message:
        """The dead letter of ``record``, which lies at ``place`` in ``source_topic``.

        Of a record that is too large first the value is left out, then the key, then its own headers.
        """
        key, value, headers, left_out = record.key, record.value, record.headers, list[str]()
        if isinstance(value, Unread):
            left_out.append(value.left_out)
            value = None
        excess = len(key or b"") + len(value or b"") + header_bytes(headers) - self._most_bytes
        if excess > 0 and value is not None:
            left_out.append(_told("value", [value]))
            excess, value = excess - len(value), None
        if excess > 0 and key is not None:
            left_out.append(_told("key", [key]))
            excess, key = excess - len(key), None
        if excess > 0:
            left_out.append(_told("headers", (part for n, v in headers for part in (n.encode(), v or b""))))
            headers = ((ATTEMPTS, str(attempts_of(headers)).encode()),)
        failure = dead_letter_headers(
            error, source_topic, place.partition, place.offset, headers, "; ".join(left_out)
        )
        return Message(self._topic, key, value, failure)


def header_bytes(headers: Headers) -> int:
    """About how many bytes ``headers`` have on the wire, at most."""
    return sum(len(name.encode()) + len(value or b"") + _HEADER_FRAME_BYTES for name, value in headers)


def _told(what: str, parts: Iterable[bytes]) -> str:
    digest, length = sha256(), 0
    for part in parts:
        digest.update(part)
        length += len(part)
    return f"{what} {length} sha256:{digest.hexdigest()}"
