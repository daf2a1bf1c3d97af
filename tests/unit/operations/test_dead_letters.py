"""Dead letters by cause, in words, and which of them are sent again."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from schemas.dead_letter import (
    attempts_of,
    dead_letter_headers,
    read_dead_letter,
    redriven_from,
    redriven_headers,
)
from schemas.errors import MalformedEventError
from schemas.wire.encoding import Headers
from streamer.operations.dead_letters.cause import cause_of
from streamer.operations.dead_letters.letters import Letter, RecordAddress, letters_in
from streamer.operations.dead_letters.redrive import BATCH_RECORDS, Selection, batches, sources_of
from streamer.operations.dead_letters.sender import Redriven
from streamer.operations.dead_letters.source_trace import Original, Trace, content_hash
from streamer.operations.dead_letters.summary import summarise
from streamer.operations.dead_letters.wording import causes_in_words, letter_as_object, letter_in_words

EVENTS = "shop.commerce.events.v1"


class Written(NamedTuple):
    """A record of the dead-letter topic."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def written(
    offset: int,
    message: str = "broken",
    *,
    source_offset: int | None = None,
    topic: str = EVENTS,
    value: bytes | None = b"v",
    original: Headers = (),
    left_out: str = "",
) -> Written:
    failed = offset if source_offset is None else source_offset
    error = MalformedEventError("not-json", message)
    headers = dead_letter_headers(error, topic, 3, failed, original, left_out)
    return Written(0, offset, 1_700_000_000_000 + offset, b"k", value, headers)


def letters(*records: Written) -> list[Letter]:
    return list(letters_in(records))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JSON is malformed: invalid character (byte 12)", "JSON is malformed: invalid character (byte 7)"),
        (
            "Expected `float`, got `str` - at `$.items[3].price`.",
            "Expected `float`, got `str` - at `$.items[0].price`.",
        ),
        ("The content type 'text/xml' is not known", "The content type 'a\"b' is not known"),
        (
            "time 2017-03-02T18:04:11Z is before 1990-01-01",
            "time 1971-03-02T18:04:11.5Z is before 1990-01-01",
        ),
        ("byte 0xff in one", "byte 0x9c in one"),
        ("has 1,048,577 bytes", "has 2,000 bytes"),
    ],
)
def test_what_differs_each_time_is_no_part_of_a_cause(one: str, other: str) -> None:
    (first, second) = letters(written(0, one), written(1, other))
    assert first.cause == second.cause
    assert first.cause.id == second.cause.id
    assert len(first.cause.id) == 8


def test_what_is_wrong_is_a_part_of_it() -> None:
    (first, second) = letters(written(0, "missing field `user_id`"), written(1, "missing field `type`"))
    assert first.cause.id != second.cause.id
    assert first.cause.is_called("not-json")
    assert first.cause.is_called(first.cause.id)
    assert not first.cause.is_called(second.cause.id)


def test_causes_are_summed_up_with_the_most_frequent_first() -> None:
    again: Headers = (("attempts", b"4"),)
    found = summarise(letters(written(5, "a"), written(1, "b 1"), written(9, "b 2", original=again)))
    assert [(cause.message, cause.count, cause.attempts) for cause in found] == [("b N", 2, 5), ("a", 1, 1)]
    (source,) = found[0].sources
    assert (source.topic, source.partition, source.count) == (EVENTS, 3, 2)
    assert (source.first_offset, source.last_offset) == (1, 9)
    assert found[0].first_at < found[0].last_at
    assert "b N" in causes_in_words(found)
    assert causes_in_words([]) == "no dead letters"


def test_records_of_other_programs_are_no_dead_letters() -> None:
    stranger = Written(0, 0, 0, None, b"x", (("error-class", b"e"),))
    binary = Written(0, 1, 0, None, b"x", (("error-class", b"\xff"),))
    assert letters(stranger, binary, written(2)) == letters(written(2))


def test_a_letter_is_shown_whole_and_cannot_move_the_cursor() -> None:
    (letter,) = letters(written(0, "bad \x1b[2J", value=b"\xff\x00", original=(("trace", b"\x1b]0;"),)))
    words = letter_in_words(letter)
    assert "\x1b" not in words
    assert "0xff00" in words
    assert "trace: \\x1b]0;" in words
    shown = letter_as_object(letter)
    assert (shown["key"], shown["value_hex"]) == ("k", "ff00")
    assert shown["headers"] == [{"name": "trace", "value": "\x1b]0;"}]
    assert shown["source"] == {"topic": EVENTS, "partition": 3, "offset": 0}


def trace_of(*offsets: int, redriven: tuple[int, ...] = (), value: bytes = b"v") -> Trace:
    originals = {RecordAddress(EVENTS, 3, n): Original(1_000 + n, content_hash(b"k", value)) for n in offsets}
    return Trace(originals, {RecordAddress(EVENTS, 3, n) for n in redriven})


def select(found: list[Letter], trace: Trace) -> tuple[list[Redriven], Selection]:
    selection = Selection(sources_of(found, "shop."), trace, "shop.")
    return list(selection.records(found)), selection


def test_each_is_sent_once_as_it_was() -> None:
    packed = ("content-type", b"application/msgpack")
    original: Headers = (packed, ("attempts", b"1"), ("redriven-from", b"0"))
    found = letters(written(4, original=original), written(5, source_offset=4), written(6))
    sent, selection = select(found, trace_of(4, 6, redriven=(6,)))
    (record,) = sent
    assert record == Redriven(
        RecordAddress(EVENTS, 3, 4),
        b"k",
        b"v",
        1_004,
        (packed, ("attempts", b"2"), ("redriven-from", b"4")),
    )
    (counts,) = selection.counts
    assert (counts.redriven, counts.redriven_before, counts.gone, counts.foreign) == (1, 2, 0, 0)


def test_what_cannot_be_known_not_to_be_sent_is_left_out() -> None:
    found = letters(written(4), written(5), written(6, topic="somewhere.else"))
    sent, selection = select(found, trace_of(5, value=b"another record of a topic made anew"))
    assert sent == []
    (counts,) = selection.counts
    assert (counts.redriven, counts.gone, counts.foreign) == (0, 2, 1)


def test_what_a_letter_does_not_hold_is_not_sent() -> None:
    found = letters(written(4, left_out="value 9 sha256:0"), written(5))
    sent, selection = select(found, trace_of(4, 5))
    assert [record.failed.offset for record in sent] == [5]
    (counts,) = selection.counts
    assert (counts.redriven, counts.incomplete) == (1, 1)


def test_headers_without_a_value_and_with_escaped_names_are_shown() -> None:
    (letter,) = letters(written(4, original=((r"tr\xffce", None),)))
    assert r"header       tr\xffce: (none)" in letter_in_words(letter)
    assert letter_as_object(letter)["headers"] == [{"name": r"tr\xffce", "value": None}]


def test_what_came_while_the_topic_was_read_is_for_the_next_time() -> None:
    found = letters(written(4), written(5))
    selection = Selection({found[0].source}, trace_of(4), "shop.")
    assert [record.failed.offset for record in selection.records(found)] == [4]
    (counts,) = selection.counts
    assert (counts.redriven, counts.gone) == (1, 0)


def test_batches_are_bounded_and_keep_the_order() -> None:
    small = [Redriven(RecordAddress(EVENTS, 0, n), None, b"v", 0, ()) for n in range(BATCH_RECORDS + 1)]
    assert [len(batch) for batch in batches(small)] == [BATCH_RECORDS, 1]
    assert [record for batch in batches(small) for record in batch] == small
    large = [record._replace(value=b"x" * 5_000_000) for record in small[:3]]
    assert [len(batch) for batch in batches(large)] == [1, 1, 1]


def test_a_record_sent_again_counts_its_attempts_on() -> None:
    (first,) = letters(written(4))
    headers = redriven_headers(first.failure, first.record.headers)
    assert (attempts_of(headers), redriven_from(headers)) == (1, 4)
    again = dead_letter_headers(MalformedEventError("not-json", "broken"), EVENTS, 3, 9, headers)
    failure = read_dead_letter(again)
    assert (failure.attempts, failure.source_offset) == (2, 9)
    twice = redriven_headers(failure, again)
    assert (attempts_of(twice), redriven_from(twice)) == (2, 9)
    assert cause_of(failure) == first.cause


@pytest.mark.parametrize("value", [b"", b"-1", b"x", b"\xb2", b"9" * 40])
def test_a_header_of_somebody_else_names_no_record(value: bytes) -> None:
    assert redriven_from([("redriven-from", value)]) is None
