"""Fetched bytes as records: what aiokafka cannot decode, or would decode without bound, stops nobody.

A header's name is bytes on the wire and text in aiokafka; one that is not UTF-8 would end the consumer. And a
batch of a few KiB can hold gigabytes. So every consumer of this process reads through
:class:`FetchedBatches`, which aiokafka's own decoder serves as long as it can. Importing this module sets
that up.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBase, DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint

from schemas.wire.unread import Unread
from streamer.kafka.decompression import TooLargeError, decompress

MOST_BATCH_BYTES: Final = 64 * 1024 * 1024
MOST_BATCH_RECORDS: Final = 1_000_000

_HEADER: Final = DefaultRecordBase.HEADER_STRUCT
_LENGTH_BYTES: Final = 12  # the offset and the length, which does not count itself
_MAGIC_AT: Final = 16
_ATTRIBUTES_AT: Final = DefaultRecordBase.ATTRIBUTES_OFFSET


class FetchedBatches:
    """The batches of one fetch in one partition, in place of aiokafka's ``MemoryRecords``.

    Once as much as one batch may hold has been decompressed, the rest of the fetch is left: aiokafka then
    fetches it again, from the offset that it has come to.
    """

    def __init__(self, fetched: bytes) -> None:
        self._fetched = memoryview(fetched)
        self._position = 0
        self._taken_bytes = 0
        self._taken_records = 0

    def size_in_bytes(self) -> int:
        """How much was fetched."""
        return len(self._fetched)

    def has_next(self) -> bool:
        """Whether a whole batch follows, and may be taken."""
        within = self._taken_bytes < MOST_BATCH_BYTES and self._taken_records < MOST_BATCH_RECORDS
        return within and self._end() <= len(self._fetched)

    def next_batch(self) -> Any:
        """The next one, as aiokafka's fetcher uses it."""
        start, end = self._position, self._end()
        self._position = end
        # As bytes, because aiokafka keeps no other buffer alive.
        batch = bytes(self._fetched[start:end])
        if len(batch) <= _MAGIC_AT:
            raise CorruptRecordException(f"A batch of {len(batch)} bytes")
        if batch[_MAGIC_AT] < 2:
            # Brokers take these no more, and they have no headers.
            return LegacyRecordBatch(batch, batch[_MAGIC_AT])
        plain = DefaultRecordBatch(batch)
        if plain.is_control_batch:
            return plain
        return _Batch(batch, plain, self)

    def take(self, size: int, records: int) -> None:
        """Count what a batch has been decompressed to."""
        self._taken_bytes += size
        self._taken_records += records

    def _end(self) -> int:
        """Where the next batch ends, beyond what was fetched if there is none."""
        start = self._position
        if len(self._fetched) - start <= _MAGIC_AT:
            return len(self._fetched) + 1
        return start + _LENGTH_BYTES + int.from_bytes(self._fetched[start + 8 : start + _LENGTH_BYTES])


class _Batch:
    """One batch of records, with those properties of aiokafka's that its fetcher asks for."""

    def __init__(self, batch: bytes, plain: Any, fetch: FetchedBatches) -> None:
        self._batch = batch
        self._plain = plain
        self._fetch = fetch
        self.base_offset = plain.base_offset
        self.next_offset = plain.next_offset
        self.producer_id = plain.producer_id
        self.is_transactional = plain.is_transactional
        self.is_control_batch = False

    def validate_crc(self) -> bool:
        """Whether the bytes are those that the producer has sent."""
        return self._plain.validate_crc()

    def __iter__(self) -> Iterator[Any]:
        count = _HEADER.unpack_from(self._batch)[-1]
        if count > MOST_BATCH_RECORDS:
            return iter([self._unread(f"more than {MOST_BATCH_RECORDS:,} records")])
        batch, plain = self._batch, self._plain
        if plain.compression_type != DefaultRecordBase.CODEC_NONE:
            compressed = batch[_HEADER.size :]
            try:
                payload = decompress(plain.compression_type, compressed, MOST_BATCH_BYTES)
            except TooLargeError:
                return iter([self._unread(f"more than {MOST_BATCH_BYTES:,} bytes when decompressed")])
            batch = _uncompressed(batch[: _HEADER.size], payload)
            plain = DefaultRecordBatch(batch)
        self._fetch.take(len(batch), count)
        return _records(batch, plain)

    def _unread(self, found: str) -> Any:
        """One record at the batch's last offset, so that what was read is committed as read."""
        last, batch = self.next_offset - 1, self._batch
        reason = (
            f"The batch at offsets {self.base_offset} to {last} has {len(batch)} bytes and holds {found}, or "
            "cannot be decompressed: none of its records was read. Send these records again, in smaller "
            "batches."
        )
        left_out = f"batch {len(batch)} sha256:{sha256(batch).hexdigest()}"
        plain = self._plain
        value = Unread(reason, left_out)
        return DefaultRecord(last, plain.max_timestamp, plain.timestamp_type, None, value, [])


def _uncompressed(header: bytes, payload: bytes | bytearray | memoryview) -> bytes:
    attributes = int.from_bytes(header[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 2]) & ~DefaultRecordBase.CODEC_MASK
    rest = header[_ATTRIBUTES_AT + 2 :]
    return b"".join((header[:_ATTRIBUTES_AT], attributes.to_bytes(2), rest, payload))


def _records(batch: bytes, plain: Any) -> Iterator[Any]:
    """The records of an uncompressed batch; from the first that aiokafka cannot decode on, by our reader."""
    read = 0
    try:
        for record in plain:
            yield record
            read += 1
    except UnicodeDecodeError:
        pass
    except CorruptRecordException as error:
        # As which aiokafka's reader without extensions tells the same.
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
    else:
        return
    for number, record in enumerate(_with_escaped_names(batch, plain)):
        if number >= read:
            yield record


def _with_escaped_names(batch: bytes, plain: Any) -> Iterator[Any]:
    """The records of an uncompressed batch; of a header's name what is not UTF-8 as ``\\xff``."""
    data, position = bytearray(batch), _HEADER.size
    appended_ms = plain.max_timestamp if plain.timestamp_type else None
    for _ in range(_HEADER.unpack_from(batch)[-1]):
        _, position = decode_varint(data, position)
        later_ms, position = decode_varint(
            data, position + 1
        )  # behind the attributes, of which there are none
        offset, position = decode_varint(data, position)
        key, position = _bytes_at(data, position)
        value, position = _bytes_at(data, position)
        count, position = decode_varint(data, position)
        headers: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            name, position = _bytes_at(data, position)
            content, position = _bytes_at(data, position)
            headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
        timestamp_ms = plain.first_timestamp + later_ms if appended_ms is None else appended_ms
        yield DefaultRecord(
            plain.base_offset + offset, timestamp_ms, plain.timestamp_type, key, value, headers
        )


def _bytes_at(data: bytearray, position: int) -> tuple[bytes | None, int]:
    """Bytes with their length before them, ``None`` for a negative one, and where they end."""
    length, position = decode_varint(data, position)
    if length < 0:
        return None, position
    return bytes(data[position : position + length]), position + length


fetcher.MemoryRecords = FetchedBatches
