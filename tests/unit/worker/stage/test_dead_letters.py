"""A dead letter fits into its topic, and says what of its record it does not hold."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import attempts_of, read_dead_letter
from schemas.errors import MalformedEventError
from schemas.event import MAX_EVENT_BYTES
from schemas.wire.encoding import Headers
from schemas.wire.unread import Unread
from streamer.worker.stage.dead_letters import DeadLetters, header_bytes
from streamer.worker.stage.erasure_requests import MAX_HEADERS_BYTES, ErasureRequests
from streamer.worker.stage.intake import Intake
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.repartition import Origin, Repartition, partition_of

MOST: Final = MAX_EVENT_BYTES
ERROR: Final = MalformedEventError("not-json", "The record is not JSON.")
LETTERS: Final = DeadLetters("churn.dlq.v1", MOST)


def letter_of(record: Record) -> Message:
    return LETTERS.of(record, ERROR, "t", Origin(1, 7))


def told(what: str, content: bytes) -> str:
    return f"{what} {len(content)} sha256:{sha256(content).hexdigest()}"


def test_a_record_that_fits_is_held_whole() -> None:
    letter = letter_of(Record(7, 0, b"k", b"v" * (MOST * 9 // 10), (("a", None),)))
    assert (letter.key, letter.value, letter.headers[0]) == (b"k", b"v" * (MOST * 9 // 10), ("a", None))
    assert read_dead_letter(letter.headers).left_out == ""


def test_a_value_that_does_not_fit_is_told_by_its_hash() -> None:
    value = b"v" * MOST
    letter = letter_of(Record(7, 0, b"k", value, (("a", b"1"), ("attempts", b"2"))))
    failure = read_dead_letter(letter.headers)
    assert (letter.key, letter.value, letter.headers[0]) == (b"k", None, ("a", b"1"))
    assert (failure.left_out, failure.attempts, failure.source_offset) == (told("value", value), 3, 7)


def test_nor_do_key_and_headers_stop_a_letter() -> None:
    key, value, name = b"k" * MOST, b"v" * MOST, "n" * MOST
    letter = letter_of(Record(7, 0, key, value, ((name, None), ("attempts", b"2"))))
    failure = read_dead_letter(letter.headers)
    headers = told("headers", name.encode() + b"attempts2")
    assert failure.left_out == "; ".join((told("key", key), headers)) or failure.left_out == "; ".join(
        (told("value", value), told("key", key), headers)
    )
    assert (letter.key, letter.value, failure.attempts) == (None, None, 3)
    assert attempts_of(letter.headers) == 3


sizes = st.integers(0, 2 * MOST)


@given(sizes, sizes, sizes)
def test_any_letter_fits(key: int, value: int, header: int) -> None:
    letter = letter_of(Record(7, 0, b"k" * key, b"v" * value, (("h", b"h" * header),)))
    assert len(letter.key or b"") + len(letter.value or b"") + header_bytes(letter.headers) < MOST


def test_a_batch_that_was_not_read_is_a_dead_letter_of_events_and_of_requests() -> None:
    record = Record(7, 0, None, Unread("The batch at offsets 3 to 7 …", "batch 9 sha256:0"))
    counters = Counters()
    events, (letter,) = Intake("t", LETTERS).read([record], 1, counters)
    assert (events, counters.dead_letters) == ([], {"too-large": 1})
    read = ErasureRequests("e", LETTERS, 1).read([record], 1, Counters())
    assert read.erasures == []
    for each in (letter, *read.messages):
        failure = read_dead_letter(each.headers)
        assert (failure.error_class, failure.left_out, each.value) == ("too-large", "batch 9 sha256:0", None)
        assert failure.error_message.startswith("The batch at offsets 3 to 7")


def test_headers_that_do_not_fit_are_not_passed_on() -> None:
    counters, headers = Counters(), (("h", b"h" * (MAX_EVENT_BYTES + 1)),)
    traffic = Repartition("churn.repartition.v1", 2)
    traffic.open(0)
    user_id = next(name for n in range(9) if partition_of(name := f"u{n}", 2) == 1)
    event = b'{"event_id":"e","user_id":"%s","type":"view","timestamp":1700000000000}' % user_id.encode()
    record = Record(7, 1_700_000_000_000, None, event, headers)
    (letter,) = Intake("t", LETTERS, repartition=traffic).read([record], 0, counters)[1]
    assert letter.topic == "churn.dlq.v1"
    assert (counters.forwarded, counters.dead_letters) == (0, {"too-large": 1})

    request = b'{"user_id":"u","requested_at":"2017-03-02T18:04:11Z","request_id":"r"}'
    few: Headers = (("h", b"1"),)
    many: Headers = (("h", b"h" * MAX_HEADERS_BYTES),)
    now_ms = 1_700_000_000_000
    records = [Record(0, now_ms, None, request, few), Record(1, now_ms, None, request, many)]
    read = ErasureRequests("e", LETTERS, 2).read(records, 0, counters)
    assert [message.topic for message in read.messages] == ["e", "churn.dlq.v1"]
    assert len(read.erasures) == 1
