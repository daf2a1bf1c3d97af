"""What is kept of a partition itself, and topics that are not those it was made of."""

from __future__ import annotations

import msgspec
import pytest

from schemas.errors import StateError, TopicError
from streamer.worker.stage.partition.partition_record import (
    RECORD_VERSION,
    SourceTopics,
    decode_record,
    encode_record,
)
from streamer.worker.start_checks import check_topics_unchanged
from tests.unit.worker.stage.test_scoring_stage import START, Worker, new_stage, purchase

TOPICS = SourceTopics("events-id", "changelog-id", 1)


def test_a_record_reads_back() -> None:
    record = decode_record(encode_record(START, TOPICS))
    assert (record.clock_ms, record.topics) == (START, TOPICS)


def test_a_record_of_a_newer_version_is_refused_in_words() -> None:
    newer = msgspec.msgpack.encode([RECORD_VERSION + 1, {"anything": "else"}])
    with pytest.raises(StateError, match=f"version {RECORD_VERSION + 1}.*newer"):
        decode_record(newer)


@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x90", b"\x92\x02", msgspec.msgpack.encode({"a": 1})])
def test_a_damaged_record_is_refused_in_words(damaged: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        decode_record(damaged)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (SourceTopics("another", "changelog-id", 1), "events topic was deleted and created anew"),
        (SourceTopics("events-id", "another", 1), "changelog was deleted and created anew"),
        (SourceTopics("events-id", "changelog-id", 3), "has 3 partitions.* it had 1"),
    ],
)
def test_a_stage_does_not_go_on_with_other_topics(now: SourceTopics, words: str) -> None:
    worker = Worker(topics=TOPICS)
    worker.process(purchase("e1", "u", 0))
    new_stage(topics=TOPICS).open(0, worker.table.items())
    with pytest.raises(TopicError, match=words):
        new_stage(topics=now).open(0, worker.table.items())


def test_a_stage_does_not_open_a_partition_that_was_added_meanwhile() -> None:
    with pytest.raises(TopicError, match="had 1 partitions when this worker started"):
        new_stage(topics=TOPICS).open(1, [])


def test_topics_that_are_not_known_are_not_compared() -> None:
    check_topics_unchanged(None, TOPICS)
    check_topics_unchanged(TOPICS, None)
