"""Whatever comes from outside ends as an event, a counted skip or a dead letter, and never as anything else.

``FUZZ_INPUTS=200000`` tries that many inputs, other ones each time; see :mod:`tests.property.fuzzing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import attempts_of, read_dead_letter, redriven_from
from schemas.errors import MalformedEventError, StateError
from schemas.event import Event, Skipped
from schemas.topics import DEAD_LETTER_BYTES
from schemas.vendors import VENDORS
from schemas.wire.decoding import EventFormat, decode_event
from schemas.wire.encoding import Headers, encode_event
from schemas.wire.erasure_decoding import decode_erasure
from streamer.core.user_state import UserState, decode_state, encode_state
from streamer.worker.stage.dead_letters import DeadLetters
from streamer.worker.stage.intake import Intake
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.partition_record import decode_record
from streamer.worker.stage.partition.partition_status import decode_status
from streamer.worker.stage.protocol import Record
from streamer.worker.stage.repartition import Repartition
from tests.property.fuzzing import Fuzzing, ended_if_it_hangs
from tests.property.hostile import (
    json_fragments,
    json_values,
    near_misses_in_json,
    near_misses_in_pack,
    pack_fragments,
)
from tests.property.test_vendor_any_event import SAMPLES, paths, replaced

NOW_MS: Final = 1_710_000_000_000
LETTERS: Final = DeadLetters("churn.dlq.v1", DEAD_LETTER_BYTES)
PACKED: Final = b"application/msgpack"
WHOLE_EVENT: Final[dict[str, Any]] = {
    "event_id": "e1",
    "user_id": "u7",
    "type": "purchase",
    "timestamp": NOW_MS - 1_000,
    "items": [
        {"item_id": "829323", "category": "grocery", "brand": "national", "price": 3.99, "quantity": 2}
    ],
    "value": 7.98,
    "currency": "USD",
    "duration_ms": 12,
    "rating": 5,
    "text": "good",
    "query": "soap",
    "session_id": "s1",
    "item_id": "829323",
    "category": "grocery",
    "brand": "national",
    "price": 3.99,
    "quantity": 2,
}
MARK: Final = "put the fragment here"
# Of all inputs; together they make the whole.
JSON, MESSAGE_PACK, PLATFORMS, ANYTHING, HEADERS, STORED, ERASURES = 0.25, 0.25, 0.25, 0.1, 0.05, 0.05, 0.05

contents = st.sampled_from([None, b"", b"application/json", PACKED, b"APPLICATION/JSON; q=1", b"\xff", b"\0"])
numbers_in_headers = st.sampled_from([b"-1", b"1e3", b"\xb2", b"9" * 30, b"4611686018427387904"])
header_values = st.none() | st.binary(max_size=12) | numbers_in_headers
ORIGIN: Final = ("origin-partition", "origin-offset", "origin-timestamp")
OF_LETTERS: Final = (
    "attempts",
    "redriven-from",
    "error-class",
    "source-offset",
    "source-partition",
    "left-out",
)
# As a consumer shows names that are not UTF-8.
escaped_names = st.binary(max_size=5).map(lambda name: name.decode("utf-8", "backslashreplace"))
header_names = st.sampled_from(("content-type", "caught-up", "", *OF_LETTERS, *ORIGIN)) | escaped_names
any_headers = st.lists(st.tuples(header_names, header_values), max_size=5).map(tuple)


def outcome(record: Record, event_format: EventFormat = "contract", *, repartition: bool = False) -> str:
    """What becomes of one record of the topic; anything but one event, skip, letter or forward fails."""
    traffic = Repartition("churn.repartition.v1", 4) if repartition else None
    if traffic is not None:
        traffic.open(0)
    counters = Counters()
    events, messages = Intake("commerce.events.v1", LETTERS, event_format, "USD", traffic).read(
        [record], 0, counters
    )
    counted = {
        "event": counters.events,
        "skipped": sum(counters.skipped.values()),
        "dead letter": sum(counters.dead_letters.values()),
        "forwarded": counters.forwarded,
    }
    found = [name for name, number in counted.items() for _ in range(number)]
    announced = not found and record.forwarded
    assert len(found) == 1 or announced, counted
    # Decoding raises nothing else, so nothing is left for the last resort of the intake.
    assert "processing-failed" not in counters.dead_letters, messages
    assert len(events) == counters.events
    assert len(messages) == counted["dead letter"] + counted["forwarded"]
    if counted["dead letter"]:
        assert (messages[0].key, messages[0].value) == (record.key, record.value)
        assert read_dead_letter(messages[0].headers).attempts == attempts_of(record.headers) + 1
    for message in messages:
        assert all(name.encode() is not None for name, _ in message.headers)
    return "announced" if announced else found[0]


def record_of(value: bytes | None, content_type: bytes | None = None) -> Record:
    headers: Headers = () if content_type is None else (("content-type", content_type),)
    return Record(0, NOW_MS, b"k", value, headers)


def tally(fuzzing: Fuzzing, records: Iterable[Record], event_format: EventFormat = "contract") -> None:
    with ended_if_it_hangs():
        for record in records:
            fuzzing.outcomes[outcome(record, event_format)] += 1


def test_events_in_json_with_one_field_of_anything() -> None:
    fuzzing = Fuzzing(JSON)

    @given(fragment=json_fragments)
    def one_round(fragment: bytes) -> None:
        tally(fuzzing, map(record_of, near_misses_in_json(WHOLE_EVENT, fragment)))

    fuzzing.run(one_round)
    assert {"event", "dead letter"} <= set(fuzzing.outcomes)


def test_events_in_message_pack_with_one_field_of_anything() -> None:
    fuzzing = Fuzzing(MESSAGE_PACK)

    @given(fragment=pack_fragments)
    def one_round(fragment: bytes) -> None:
        tally(fuzzing, (record_of(v, PACKED) for v in near_misses_in_pack(WHOLE_EVENT, fragment)))

    fuzzing.run(one_round)
    assert {"event", "dead letter"} <= set(fuzzing.outcomes)


def test_events_of_platforms_with_one_part_of_anything() -> None:
    fuzzing = Fuzzing(PLATFORMS)

    @given(sample=st.sampled_from(SAMPLES), fragment=json_fragments)
    def one_round(sample: tuple[EventFormat, dict[str, Any]], fragment: bytes) -> None:
        vendor, event = sample
        # Every part of the event in turn, as bytes that no JSON library would write.
        marked = (json.dumps(replaced(event, path, MARK)).encode() for path in paths(event))
        values = [value.replace(json.dumps(MARK).encode(), fragment) for value in marked]
        tally(fuzzing, map(record_of, [*values, fragment]), vendor)

    fuzzing.run(one_round)
    assert set(fuzzing.outcomes) == {"event", "dead letter", "skipped"}


def test_records_of_anything() -> None:
    fuzzing = Fuzzing(ANYTHING)

    @given(
        value=st.none() | st.binary(max_size=400) | json_values.map(msgspec.json.encode),
        headers=any_headers,
        content_type=contents,
        timestamp_ms=st.integers(-1, 2**63 - 1),
        key=st.none() | st.binary(max_size=8),
        event_format=st.sampled_from(["contract", *VENDORS]),
        forwarded=st.booleans(),
    )
    def one_round(
        value: bytes | None,
        headers: Headers,
        content_type: bytes | None,
        timestamp_ms: int,
        key: bytes | None,
        event_format: EventFormat,
        forwarded: bool,
    ) -> None:
        own: Headers = () if content_type is None else (("content-type", content_type),)
        record = Record(5, timestamp_ms, key, value, (*own, *headers), forwarded)
        with ended_if_it_hangs():
            fuzzing.outcomes[outcome(record, event_format, repartition=True)] += 1

    fuzzing.run(one_round)


def test_headers_of_anything() -> None:
    fuzzing = Fuzzing(HEADERS)
    value = encode_event(Event("e1", "u7", "view", NOW_MS - 1_000))

    # Three that are right by chance are rare: a place, and a time that the event is not ahead of.
    any_numbers = st.lists(header_values, min_size=3, max_size=3)
    right = st.just([b"1", b"1", str(NOW_MS).encode()])

    @given(headers=any_headers, numbers=right | any_numbers)
    def one_round(headers: Headers, numbers: list[bytes | None]) -> None:
        near = (*headers, *zip(ORIGIN, numbers, strict=True))
        with ended_if_it_hangs():
            for forwarded in (False, True):
                record = Record(5, NOW_MS, b"k", value, near, forwarded)
                fuzzing.outcomes[outcome(record, repartition=True)] += 1
        assert attempts_of(near) >= 0
        assert (redriven_from(near) or 0) >= 0
        with suppress(ValueError):
            read_dead_letter(near)

    fuzzing.run(one_round)
    assert {"event", "skipped"} <= set(fuzzing.outcomes)


def test_stored_bytes_of_anything() -> None:
    fuzzing = Fuzzing(STORED)
    whole = encode_state(UserState(ring=b"r" * 52, hidden=b"h" * 16, model=b"m" * 8, offset=3, risk=0.5))

    @given(fragment=pack_fragments, cut=st.integers(0, len(whole)), skip=st.integers(0, 9))
    def one_round(fragment: bytes, cut: int, skip: int) -> None:
        damaged = [
            fragment,
            whole[:cut],
            whole[:cut] + fragment,
            whole[:cut] + fragment + whole[cut + skip :],
        ]
        with ended_if_it_hangs():
            for stored in damaged:
                for read in (decode_state, decode_record, read_status):
                    try:
                        read(stored)
                        fuzzing.outcomes[read.__name__] += 1
                    except StateError:
                        fuzzing.outcomes["refused"] += 1

    fuzzing.run(one_round)
    assert {"refused", "decode_state"} <= set(fuzzing.outcomes)


def read_status(said: bytes) -> None:
    decode_status(said.decode("latin-1"))


def test_requests_for_erasure_of_anything() -> None:
    fuzzing = Fuzzing(ERASURES)
    request = {"user_id": "u7", "requested_at": "2017-03-02T18:04:11Z", "request_id": "r1"}

    @given(fragment=json_fragments)
    def one_round(fragment: bytes) -> None:
        with ended_if_it_hangs():
            for value in near_misses_in_json(request, fragment):
                try:
                    decode_erasure(value, 4_000_000_000_000)
                    fuzzing.outcomes["request"] += 1
                except MalformedEventError:
                    fuzzing.outcomes["refused"] += 1

    fuzzing.run(one_round)
    assert {"request", "refused"} <= set(fuzzing.outcomes)


@pytest.mark.parametrize("value", list(near_misses_in_json(WHOLE_EVENT, b'"u8"')))
def test_a_name_that_comes_twice_counts_as_it_is_checked(value: bytes) -> None:
    """What is taken of an event is what another decoding of what was taken gives again."""
    try:
        found = decode_event(value, None, NOW_MS)
    except MalformedEventError:
        return
    assert isinstance(found, Event | Skipped)
    if isinstance(found, Event):
        again = decode_event(encode_event(found), None, NOW_MS)
        assert msgspec.structs.replace(found, unknown_fields=0) == again


def test_the_shares_make_the_whole() -> None:
    assert pytest.approx(1) == JSON + MESSAGE_PACK + PLATFORMS + ANYTHING + HEADERS + STORED + ERASURES
