"""Records that lie in another partition than their user's, and how they get there.

A shop that does not key by user spreads a user's events over the partitions. A partition that reads a record
of another partition's user forwards it once, in its own transaction, through ``churn.repartition.v1``, whose
partitions belong to the workers of the same event partitions. Time must wait for what is on its way: each
partition that has caught up says so to all others through the same topic, behind what it has forwarded, and
wall time counts in a partition only as far as all of them have said so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from aiokafka.partitioner import murmur2
from msgspec.structs import replace

from schemas.errors import MalformedEventError
from schemas.event import MAX_EVENT_BYTES
from streamer.worker.stage.protocol import RECENT_MS, Headers, Message, Record

ORIGIN_PARTITION: Final = "origin-partition"
ORIGIN_OFFSET: Final = "origin-offset"
ORIGIN_TIMESTAMP: Final = "origin-timestamp"
CAUGHT_UP: Final = "caught-up"

ANNOUNCE_EVERY_MS: Final = 10_000
# Two announcements may be missed, and each is honest about the backlog that still counts as caught up.
FRESH_MS: Final = RECENT_MS + 3 * ANNOUNCE_EVERY_MS

_FORWARDED: Final = 1 << 62
_OFFSET_BITS: Final = 44
_MAX_NUMBER: Final = 18


class Origin(NamedTuple):
    """Where a record lies in the events topic."""

    partition: int
    offset: int


@lru_cache(maxsize=1 << 16)
def partition_of(user_id: str, partitions: int) -> int:
    """The partition that Kafka's default partitioner (murmur2) gives to the key ``user_id``."""
    return (murmur2(user_id.encode()) & 0x7FFF_FFFF) % partitions


def pack_origin(place: Origin) -> int:
    """A forwarded record's place as one number that no offset of the partition itself is."""
    return _FORWARDED | place.partition << _OFFSET_BITS | place.offset


def unpack_origin(partition: int, offset: int) -> Origin:
    """The place behind an offset that ``partition`` knows: its own, or a packed one."""
    if offset < _FORWARDED:
        return Origin(partition, offset)
    packed = offset ^ _FORWARDED
    return Origin(packed >> _OFFSET_BITS, packed & ((1 << _OFFSET_BITS) - 1))


def is_announcement(record: Record) -> bool:
    """Whether a record comes from another partition itself, and not from the shop."""
    return record.forwarded and record.value is None


class Repartition:
    """The traffic between the event topic's ``partitions`` on ``topic``, of those that this worker owns."""

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._announced_ms: dict[int, int] = {}
        self._heard_ms: dict[int, list[int]] = {}

    def open(self, partition: int) -> None:
        """Take a partition over: nothing has been heard there yet, which holds wall time back."""
        self._announced_ms[partition] = 0
        self._heard_ms[partition] = [0] * self._partitions

    def forward(self, record: Record, user_id: str, partition: int) -> Message | None:
        """The record for its user's partition, or ``None`` if it lies there; a forwarded one stays.

        Raises ``MalformedEventError`` where its headers would not fit into the topic.
        """
        home = partition if record.forwarded else partition_of(user_id, self._partitions)
        if home == partition:
            return None
        if (size := sum(len(name) + len(value or b"") for name, value in record.headers)) > MAX_EVENT_BYTES:
            raise MalformedEventError(
                "too-large", f"The event's headers have {size} bytes; the most is {MAX_EVENT_BYTES}."
            )
        origin: Headers = (
            (ORIGIN_PARTITION, str(partition).encode()),
            (ORIGIN_OFFSET, str(record.offset).encode()),
            (ORIGIN_TIMESTAMP, str(record.timestamp_ms).encode()),
        )
        return Message(self._topic, user_id.encode(), record.value, (*record.headers, *origin), home)

    def receive(self, record: Record, partition: int) -> Record | None:
        """A record of the topic as it was where it came from; ``None`` for an announcement.

        Raises ``ValueError`` for a record that this program has not written.
        """
        *headers, (name, value) = record.headers or (("", b""),)
        if name == CAUGHT_UP:
            (origin,) = (_number(text) for header, text in headers if header == ORIGIN_PARTITION)
            heard = self._heard_ms[partition]
            if not 0 <= origin < self._partitions:
                raise ValueError("no such partition")
            heard[origin] = max(heard[origin], _number(value))
            return None
        names = tuple(header for header, _ in record.headers[-3:])
        if names != (ORIGIN_PARTITION, ORIGIN_OFFSET, ORIGIN_TIMESTAMP):
            raise ValueError("no origin")
        number, offset, timestamp_ms = (_number(text) for _, text in record.headers[-3:])
        if not (0 <= number < 1 << _MAX_NUMBER and 0 <= offset < 1 << _OFFSET_BITS):
            raise ValueError("no such place")
        return replace(
            record,
            offset=pack_origin(Origin(number, offset)),
            timestamp_ms=timestamp_ms,
            headers=record.headers[:-3],
        )

    def announce(self, partition: int, now_ms: int | None) -> list[Message]:
        """Tell all other partitions, now and then, up to when this one has forwarded what it was sent.

        ``now_ms``: wall time if the partition has caught up, else ``None``.
        """
        if now_ms is None or now_ms - self._announced_ms[partition] < ANNOUNCE_EVERY_MS:
            return []
        self._announced_ms[partition] = now_ms
        headers: Headers = (
            (ORIGIN_PARTITION, str(partition).encode()),
            (CAUGHT_UP, str(now_ms - RECENT_MS).encode()),
        )
        others = (number for number in range(self._partitions) if number != partition)
        return [Message(self._topic, None, None, headers, number) for number in others]

    def proven_ms(self, partition: int, now_ms: int | None) -> int | None:
        """Wall time as far as everything sent before it is here; ``None`` while a partition lags."""
        if now_ms is None:
            return None
        heard = self._heard_ms[partition]
        heard[partition] = now_ms
        oldest = min(heard)
        return oldest if oldest >= now_ms - FRESH_MS else None


def _number(text: bytes | None) -> int:
    if text is None:
        raise ValueError("no number")
    return int(text)
