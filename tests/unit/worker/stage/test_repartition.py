"""Forwarding: where a record belongs, what it keeps on its way, and how far time may go meanwhile."""

from __future__ import annotations

import json

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.inference.bundle import load_bundle
from streamer.kafka.topics import planned_topics
from streamer.settings.settings import Settings
from streamer.worker.run import build_stage, worker_options
from streamer.worker.stage.protocol import RECENT_MS, BatchOutcome, Headers, Message, Record
from streamer.worker.stage.repartition import (
    ANNOUNCE_EVERY_MS,
    CAUGHT_UP,
    FRESH_MS,
    ORIGIN_PARTITION,
    Origin,
    Repartition,
    is_announcement,
    pack_origin,
    partition_of,
    unpack_origin,
)
from tests.integration.shop import DEMO_BUNDLE
from tests.unit.worker.stage.test_scoring_stage import START, counted, new_stage, on, purchase

TOPIC = "shop.churn.repartition.v1"
PARTITIONS = 3
NOW = START + 60 * DAY_MS


@given(st.text(min_size=1, max_size=40), st.integers(1, 64))
def test_a_user_is_where_kafkas_default_partitioner_puts_the_key(user_id: str, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(user_id, partitions) == DefaultPartitioner()(user_id.encode(), every, every)


@given(st.integers(0, 2**18 - 1), st.integers(0, 2**44 - 1), st.integers(0, 2**18 - 1))
def test_a_packed_place_unpacks_and_is_no_offset(partition: int, offset: int, here: int) -> None:
    packed = pack_origin(Origin(partition, offset))
    assert unpack_origin(here, packed) == (partition, offset)
    assert unpack_origin(here, offset) == (here, offset)
    assert offset < packed < 2**63


any_values = st.none() | st.binary(max_size=5)
headers = st.lists(st.tuples(st.text(max_size=5), any_values), max_size=3).map(tuple)


@given(
    headers=headers, value=st.binary(max_size=20), offset=st.integers(0, 2**40), time_ms=st.integers(0, 2**42)
)
def test_a_forwarded_record_arrives_as_it_was(
    headers: Headers, value: bytes, offset: int, time_ms: int
) -> None:
    repartition = opened()
    user_id = next(name for n in range(100) if partition_of(name := f"u{n}", PARTITIONS) == 2)
    record = Record(offset, time_ms, b"session", value, headers)
    assert repartition.forward(record, user_id, 2) is None
    message = repartition.forward(record, user_id, 0)
    assert message is not None
    assert (message.topic, message.partition, message.key, message.value) == (
        TOPIC,
        2,
        user_id.encode(),
        value,
    )
    arrived = repartition.receive(received(message, 77), 2)
    assert arrived is not None
    assert (arrived.value, arrived.headers, arrived.timestamp_ms) == (value, headers, time_ms)
    assert unpack_origin(2, arrived.offset) == (0, offset)
    assert repartition.forward(arrived, user_id, 1) is None, "forwarded twice"


@pytest.mark.parametrize(
    "foreign",
    [
        (),
        ((ORIGIN_PARTITION, b"0"),),
        ((CAUGHT_UP, b"5"),),
        ((ORIGIN_PARTITION, b"9"), (CAUGHT_UP, b"5")),
        ((ORIGIN_PARTITION, b"0"), (CAUGHT_UP, b"soon")),
        ((ORIGIN_PARTITION, b"0"), ("origin-offset", b"-1"), ("origin-timestamp", b"5")),
        ((ORIGIN_PARTITION, b"0"), ("origin-offset", b"\xff"), ("origin-timestamp", b"5")),
    ],
)
def test_what_others_wrote_to_the_topic_is_counted_and_skipped(foreign: Headers) -> None:
    stage = new_stage(repartition=Repartition(TOPIC, PARTITIONS))
    stage.open(0, [])
    record = Record(5, NOW, b"u", purchase("e", "u", 0), foreign, forwarded=True)
    assert stage.process(0, {}.get, [record], None) == BatchOutcome({}, [])
    assert counted(stage).skipped == {"not-ours": 1}


def test_time_goes_as_far_as_all_partitions_have_said() -> None:
    repartition = opened()
    assert repartition.proven_ms(0, None) is None
    assert repartition.proven_ms(0, NOW) is None, "nothing heard yet"
    hear(repartition, from_partition=1, now_ms=NOW)
    assert repartition.proven_ms(0, NOW) is None, "one is still missing"
    hear(repartition, from_partition=2, now_ms=NOW - 5)
    assert repartition.proven_ms(0, NOW) == NOW - 5 - RECENT_MS
    assert repartition.proven_ms(0, NOW - 5 - RECENT_MS + FRESH_MS) is not None
    assert repartition.proven_ms(0, NOW - 5 - RECENT_MS + FRESH_MS + 1) is None, "one has fallen behind"
    hear(repartition, from_partition=2, now_ms=NOW - 500)
    assert repartition.proven_ms(0, NOW) == NOW - 5 - RECENT_MS, "older news change nothing"


def test_a_partition_says_now_and_then_that_it_has_caught_up() -> None:
    repartition = opened()
    assert repartition.announce(1, None) == []
    assert [message.partition for message in repartition.announce(1, NOW)] == [0, 2]
    assert repartition.announce(1, NOW + ANNOUNCE_EVERY_MS - 1) == []
    assert len(repartition.announce(1, NOW + ANNOUNCE_EVERY_MS)) == 2


def test_a_raise_waits_for_partitions_that_lag_and_names_the_shops_own_record() -> None:
    stage = new_stage(live=True, repartition=Repartition(TOPIC, PARTITIONS))
    tables: list[dict[bytes, bytes]] = [{}, {}, {}]
    for partition in range(PARTITIONS):
        stage.open(partition, [])
    user_id = next(name for n in range(100) if partition_of(name := f"u{n}", PARTITIONS) == 2)

    def process(partition: int, records: list[Record], now_ms: int | None) -> BatchOutcome:
        outcome = stage.process(partition, tables[partition].get, records, now_ms)
        tables[partition] |= {key: value for key, value in outcome.state.items() if value is not None}
        return outcome

    sent = process(0, [Record(41, START, None, purchase("e1", user_id, 0))], None)
    assert sent.state == {}
    (message,) = sent.messages
    assert counted(stage).forwarded == 1
    arrived = process(2, [received(message, 0)], None)
    (score,) = [json.loads(m.value or b"") for m in on("shop.churn.scores.v1", arrived)]
    assert score["evidence"] == {"topic": "shop.commerce.events.v1", "partition": 0, "offset": 41}

    now = START + 10 * DAY_MS
    assert on("shop.churn.alerts.v1", process(2, [], now)) == []
    for partition in (0, 1):
        news = [m for m in process(partition, [], now).messages if m.topic == TOPIC and m.partition == 2]
        outcome = process(2, [received(m, 1 + partition) for m in news], now)
        assert bool(on("shop.churn.alerts.v1", outcome)) == (partition == 1)
    (alert, *_) = [json.loads(m.value or b"") for m in on("shop.churn.alerts.v1", outcome)]
    assert alert["data"]["evidence"] == {"topic": "shop.commerce.events.v1", "partition": 0, "offset": 41}


def test_a_malformed_record_stays_where_it_is() -> None:
    stage = new_stage(repartition=Repartition(TOPIC, PARTITIONS))
    stage.open(1, [])
    (letter,) = stage.process(1, {}.get, [Record(7, NOW, b"k", b"not json")], None).messages
    assert dict(letter.headers)["source-partition"] == b"1"


def test_both_topics_are_consumed_only_where_forwarding_is_on() -> None:
    plain = worker_options(Settings(topic_prefix="s.")).source_topics
    assert plain == ("s.commerce.events.v1", "s.privacy.erasure.v1")
    forwarding = worker_options(Settings(topic_prefix="s.", repartition=True)).source_topics
    assert set(forwarding) == {*plain, "s.churn.repartition.v1"}


def test_the_topic_is_needed_only_where_forwarding_is_on() -> None:
    without = {plan.name: plan for plan in planned_topics(Settings(), 5)}
    planned = {plan.name: plan for plan in planned_topics(Settings(repartition=True), 5)}
    assert planned.keys() - without.keys() == {"churn.repartition.v1"}
    plan = planned["churn.repartition.v1"]
    assert plan.partitions == 5
    # A record's own time may be years ago: what is on its way must not be deleted for that.
    assert plan.configuration["message.timestamp.type"] == "LogAppendTime"


def test_event_time_alone_cannot_wait_for_other_partitions() -> None:
    with pytest.raises(ConfigurationError, match="repartition needs mode live"):
        build_stage(Settings(repartition=True, mode="event-time"), load_bundle(DEMO_BUNDLE), 4)


def opened() -> Repartition:
    repartition = Repartition(TOPIC, PARTITIONS)
    for partition in range(PARTITIONS):
        repartition.open(partition)
    return repartition


def received(message: Message, offset: int) -> Record:
    return Record(offset, NOW, message.key, message.value, message.headers, forwarded=True)


def hear(repartition: Repartition, from_partition: int, now_ms: int) -> None:
    speaker = opened()
    (message,) = [m for m in speaker.announce(from_partition, now_ms) if m.partition == 0]
    record = received(message, 1)
    assert is_announcement(record)
    assert repartition.receive(record, 0) is None
