"""A dead letter's headers say what was wrong and keep what the record had."""

from __future__ import annotations

import pytest

from schemas.dead_letter import (
    DEAD_LETTER_HEADERS,
    MAX_ERROR_MESSAGE_BYTES,
    attempts_of,
    dead_letter_headers,
    read_dead_letter,
    redriven_from,
    redriven_headers,
)
from schemas.errors import MalformedEventError
from schemas.topics import TOPICS, given_topic, with_prefix
from schemas.wire.encoding import Headers
from schemas.wire.wire_format import content_type_of

ERROR = MalformedEventError("not-json", "The record is not JSON: ü.")


def test_the_six_headers_follow_the_record_s_own() -> None:
    headers = dead_letter_headers(ERROR, "t", 3, 42, [("trace", b"\xff"), ("trace", b"2")])
    assert headers == (
        ("trace", b"\xff"),
        ("trace", b"2"),
        ("error-class", b"not-json"),
        ("error-message", "The record is not JSON: ü.".encode()),
        ("source-topic", b"t"),
        ("source-partition", b"3"),
        ("source-offset", b"42"),
        ("attempts", b"1"),
    )


def test_a_second_failure_replaces_the_first_and_counts_on() -> None:
    first = dead_letter_headers(ERROR, "t", 3, 42, [("trace", b"1")])
    second = dead_letter_headers(MalformedEventError("bad-id", "Empty."), "t", 1, 50, first)
    assert [name for name, _ in second] == ["trace", *DEAD_LETTER_HEADERS]
    assert dict(second)["error-class"] == b"bad-id"
    assert attempts_of(second) == 2


def test_an_unreadable_count_of_attempts_starts_anew() -> None:
    assert attempts_of([("attempts", b"-1")]) == 0
    assert attempts_of([("attempts", b"9" * 5000)]) == 0


def test_a_header_without_a_value_says_nothing() -> None:
    null: Headers = (
        ("attempts", None),
        ("redriven-from", None),
        ("error-class", None),
        ("content-type", None),
    )
    assert attempts_of(null) == 0
    assert attempts_of([("attempts", b"2"), ("attempts", None)]) == 2
    assert redriven_from(null) is None
    assert content_type_of(null) is None
    assert content_type_of([("content-type", b"application/json"), *null]) == "application/json"
    with pytest.raises(ValueError, match="error-class"):
        read_dead_letter(null)
    letter = dead_letter_headers(ERROR, "t", 0, 7, null)
    assert letter[:2] == (("redriven-from", None), ("content-type", None))
    assert redriven_headers(read_dead_letter(letter), letter)[0] == ("content-type", None)


def test_what_is_left_out_is_said_beside_the_six_and_by_nobody_else() -> None:
    headers = dead_letter_headers(ERROR, "t", 0, 0, [("left-out", b"mine"), ("a", b"1")], "value 9 sha256:0")
    assert [name for name, _ in headers] == ["a", "left-out", *DEAD_LETTER_HEADERS]
    assert read_dead_letter(headers).left_out == "value 9 sha256:0"
    assert "left-out" not in dict(redriven_headers(read_dead_letter(headers), headers))


def test_a_long_message_is_cut_between_characters() -> None:
    error = MalformedEventError("wrong-type", "ü" * MAX_ERROR_MESSAGE_BYTES + "\ud800")
    message = dict(dead_letter_headers(error, "t", 0, 0))["error-message"]
    assert message is not None
    assert len(message) <= MAX_ERROR_MESSAGE_BYTES
    assert set(message.decode()) == {"ü"}


def test_topics_carry_the_prefix_as_it_is() -> None:
    assert with_prefix("", "churn.dlq.v1") == "churn.dlq.v1"
    assert {with_prefix("eu.", topic.name) for topic in TOPICS} >= {"eu.churn.dlq.v1", "eu.churn.alerts.v1"}


@pytest.mark.parametrize(
    ("prefix", "given", "meant"),
    [
        ("", "churn.dlq.v1", "churn.dlq.v1"),
        ("eu.", "churn.dlq.v1", "eu.churn.dlq.v1"),
        ("eu.", "eu.churn.dlq.v1", "eu.churn.dlq.v1"),
        ("eu.", "eu.own-users-changelog", "eu.own-users-changelog"),
        ("eu.", "us.churn.dlq.v1", "eu.us.churn.dlq.v1"),
        ("churn.", "churn.dlq.v1", "churn.churn.dlq.v1"),
        ("c", "commerce.events.v1", "ccommerce.events.v1"),
    ],
)
def test_a_topic_is_always_that_of_the_deployment(prefix: str, given: str, meant: str) -> None:
    assert given_topic(prefix, given) == meant


def test_a_dead_letter_has_room_for_the_largest_event_and_its_headers() -> None:
    limits = {topic.name: topic.max_message_bytes for topic in TOPICS}
    assert limits["churn.dlq.v1"] > limits["commerce.events.v1"] + MAX_ERROR_MESSAGE_BYTES
