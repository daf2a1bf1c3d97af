"""Every record of a fetch comes out, whatever its headers are called and however small it was packed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any, Final

import cramjam
import pytest
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.wire.unread import Unread
from streamer.kafka import record_batches
from streamer.kafka.connection import Connection
from streamer.kafka.decompression import TooLargeError, decompress
from streamer.kafka.record_batches import FetchedBatches

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MiB: Final = 1024 * 1024

Headers = list[tuple[str, bytes | None]]


class RawName(str):
    """A header's name as clients of other languages write it: any bytes."""

    __slots__ = ("raw",)

    raw: bytes

    def __new__(cls, raw: bytes) -> RawName:
        made = super().__new__(cls, "raw")
        made.raw = raw
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - as of str
        return self.raw


def batch_of(
    values: Iterable[bytes | None], headers: Headers | None = None, codec: int = 0, base_offset: int = 0
) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 40)
    for number, value in enumerate(values):
        builder.append(number, 1_000 + number, b"k%d" % number, value, headers or [])
    built = builder.build()
    built[:8] = base_offset.to_bytes(8)
    return bytes(built)


def consumed(fetched: bytes, offset: int = 0) -> tuple[list[Any], int]:
    """What aiokafka's consumer makes of a fetch from ``offset`` on, and from where it fetches next."""
    partition = PartitionRecords(
        TopicPartition("t", 0), FetchedBatches(fetched), [], offset, None, None, True, 1
    )
    return list(partition), partition.next_fetch_offset


def test_consumers_read_through_it() -> None:
    assert Connection("127.0.0.1:9092").client_options
    assert fetcher.MemoryRecords is FetchedBatches


def test_a_name_that_is_no_text_is_escaped_and_can_be_written_again() -> None:
    names = [RawName(b"tr\xffce"), "plain", RawName("é".encode()), RawName(b"")]
    headers: Headers = [(name, None if name == "plain" else b"1") for name in names]
    for code in CODECS.values():
        fetched = batch_of([b"a", None], None, code) + batch_of([b"b", None], headers, code, base_offset=2)
        records, following = consumed(fetched)
        assert following == 4
        assert [(r.offset, r.timestamp, r.key, r.value) for r in records] == [
            (0, 1_000, b"k0", b"a"),
            (1, 1_001, b"k1", None),
            (2, 1_000, b"k0", b"b"),
            (3, 1_001, b"k1", None),
        ]
        assert records[2].headers == ((r"tr\xffce", b"1"), ("plain", None), ("é", b"1"), ("", b"1"))
        assert batch_of([b"again"], list(records[2].headers))


names = st.text(max_size=4) | st.binary(max_size=4).map(RawName)
any_headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=4)), max_size=3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.binary(max_size=9), any_headers), min_size=1, max_size=5),
    st.sampled_from([*CODECS.values()]),
)
def test_any_headers(records: list[tuple[bytes | None, Headers]], code: int) -> None:
    builder = _DefaultRecordBatchBuilderPy(2, code, 0, -1, -1, -1, 1 << 20)
    for number, (value, headers) in enumerate(records):
        builder.append(number, number, None, value, headers)
    found, following = consumed(bytes(builder.build()))
    assert following == len(records)
    assert [r.value for r in found] == [value for value, _ in records]
    for record, (_, headers) in zip(found, records, strict=True):
        assert [value for _, value in record.headers] == [value for _, value in headers]
        expected = [name.encode().decode("utf-8", "backslashreplace") for name, _ in headers]
        assert [name for name, _ in record.headers] == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.sampled_from([*CODECS.values()]))
def test_the_same_records_as_aiokafka_reads(values: list[bytes], code: int) -> None:
    fetched = batch_of(values, [("n", b"v"), ("z", None)], code) + batch_of([b"cut"])[:40]
    theirs = PartitionRecords(TopicPartition("t", 0), MemoryRecords(fetched), [], 0, None, None, True, 1)
    assert consumed(fetched)[0] == list(theirs)


@pytest.mark.parametrize("code", [CODECS["gzip"], CODECS["snappy"], CODECS["lz4"], CODECS["zstd"]])
def test_a_batch_that_would_fill_the_memory_is_told_and_left_out(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_batches, "MOST_BATCH_BYTES", 2 * MiB)
    bomb = batch_of([b"a" * 8 * MiB, b"b" * 8 * MiB, b"c"], None, code, base_offset=1)
    fetched = batch_of([b"first"]) + bomb + batch_of([b"last"], base_offset=4)
    tracemalloc.start()
    records, following = consumed(fetched)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MiB
    assert [(r.offset, r.value) for r in records] == [(0, b"first"), (3, b""), (4, b"last")]
    assert following == 5
    unread = records[1].value
    assert isinstance(unread, Unread)
    assert "offsets 1 to 3" in unread.reason
    assert unread.left_out.startswith(f"batch {len(bomb)} sha256:")


def test_a_batch_of_too_many_records_is_told_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_batches, "MOST_BATCH_RECORDS", 10)
    ((record,), following) = consumed(batch_of([b""] * 11))
    assert isinstance(record.value, Unread)
    assert (record.offset, following) == (10, 11)


@pytest.mark.parametrize("code", CODECS.values())
def test_bytes_that_are_not_compressed_stop_nobody(code: int) -> None:
    if code == 0:
        return
    with pytest.raises(TooLargeError):
        decompress(code, b"\x05garbage" * 9, MiB)


def test_xerial_blocks_are_added_up() -> None:
    compressed = codec.snappy_encode(b"a" * MiB)
    assert decompress(CODECS["snappy"], compressed, MiB) == b"a" * MiB
    with pytest.raises(TooLargeError):
        decompress(CODECS["snappy"], compressed, MiB - 1)
    whole = bytes(cramjam.snappy.compress_raw(b"a" * MiB))
    assert decompress(CODECS["snappy"], whole, MiB) == b"a" * MiB


def test_a_fetch_is_taken_as_far_as_the_memory_goes_and_fetched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_batches, "MOST_BATCH_BYTES", MiB)
    batches = [batch_of([b"a" * (MiB // 2 + n)], None, CODECS["zstd"], base_offset=n) for n in range(5)]
    offset, rounds, seen = 0, 0, list[int]()
    while offset < 5:
        records, offset = consumed(b"".join(batches[offset:]), offset)
        seen += [record.offset for record in records]
        rounds += 1
    assert (seen, rounds) == ([0, 1, 2, 3, 4], 3)
