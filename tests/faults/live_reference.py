"""What can be known of a trial in live mode: the reference has every event, but decides by event time alone.

It is never behind, so what it decides in between is not what a worker decides that was held up. What follows
from the events alone is the same, and so is, under a policy without memory, which alerts are open in the end.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.errors import MalformedEventError
from schemas.event import Event
from schemas.score import Score
from schemas.topics import DEAD_LETTERS, SCORES, with_prefix
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event
from schemas.wire.wire_format import content_type_of
from streamer.core.engine.batch_scoring import answer_risks
from streamer.core.engine.model_requests import RiskAt
from streamer.core.engine.stakes import overdue_ms_of
from streamer.core.user_state import decode_state
from streamer.inference.bundle import load_bundle
from streamer.settings.loading import load_settings
from streamer.worker.run import build_stage
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.partition_status import decode_status
from streamer.worker.stage.protocol import Record
from streamer.worker.stage.scoring_stage import ScoringStage
from tests.faults.reading import Row
from tests.faults.reference import Effect, apply_record

SENTINEL = "sentinel"
"""A user of whom nobody else knows: its events move the reference's clock."""


class Claim(NamedTuple):
    """That ``user_id`` was at risk at ``at_ms``, given all records of its partition up to ``offset``."""

    user_id: str
    offset: int
    at_ms: int


class Seen(NamedTuple):
    """An event that was applied: whose, when it happened, and the offset of its record."""

    user_id: str
    at_ms: int
    offset: int


class LiveExpected(NamedTuple):
    """``bands``: each user's open band (``None`` for none) by the beginning and by the end of the stop.
    ``now``: what each user's alert goes by by its end.

    ``table``: the users' states from their events. ``signals``: what alerts go by at each claim, in truth.
    ``events``: those that were applied, in order.
    """

    table: dict[str, bytes]
    bands: tuple[dict[str, str | None], dict[str, str | None]]
    now: dict[str, float]
    signals: dict[Claim, float]
    events: list[Seen]
    dead_letters: list[Effect]
    counters: Counters


def expect_live_partition(
    environment: Mapping[str, str],
    partition: int,
    partitions: int,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    stopped_ms: tuple[int, int],
) -> LiveExpected:
    """What one partition's records make, and what became of ``claims``."""
    settings = load_settings(environment={**environment, "STREAMER_MODE": "event-time"})
    assert settings.bundle is not None, "the shop's settings name a bundle"
    bundle = load_bundle(settings.bundle, "cpu", settings.arena_precision)
    stage = build_stage(settings, bundle, partitions)
    stage.open(partition, ())
    asked: dict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        asked[claim.offset].append(claim)
    table: dict[bytes, bytes] = {}
    scores: dict[bytes, bytes] = {}
    signals: dict[Claim, float] = {}
    events: list[Seen] = []
    dead_letters: list[Effect] = []
    topics = {with_prefix(settings.topic_prefix, SCORES): scores}
    for row in rows:
        for message in apply_record(stage, partition, row, table, topics):
            if message.topic == with_prefix(settings.topic_prefix, DEAD_LETTERS):
                dead_letters.append(Effect(row.offset, message.key, message.value, message.headers))
        if (event := _event(row)) is not None:
            events.append(Seen(event.user_id, event.timestamp, row.offset))
        for claim in asked.get(row.offset, ()):
            signals |= {claim: _signal(stage, table[claim.user_id.encode()], claim.at_ms)}
    status = decode_status(stage.status(partition, 0))
    assert status is not None
    counters = msgspec.convert(msgspec.to_builtins(status.counters), Counters)
    states = {key.decode(): value for key, value in table.items() if not key.startswith(b"\xff")}
    bands: list[dict[str, str | None]] = []
    for number, at_ms in enumerate(stopped_ms):
        event = Event(f"{SENTINEL}{number}", SENTINEL, "view", at_ms)
        row = Row(10**9 + number, at_ms, SENTINEL.encode(), encode_event(event))
        apply_record(stage, partition, row, table, topics)
        bands.append(
            {key.decode(): msgspec.json.decode(value, type=Score).band for key, value in scores.items()}
        )
    now = {user: _signal(stage, stored, stopped_ms[1]) for user, stored in states.items()}
    return LiveExpected(states, (bands[0], bands[1]), now, signals, events, dead_letters, counters)


def _signal(stage: ScoringStage, stored: bytes, at_ms: int) -> float:
    """What a user's alert goes by at a moment, or at the newest event if that is later; 0 while on time."""
    state, serving = decode_state(stored), stage.models.serving
    now_ms, rules = max(at_ms, state.last_ms), serving.rules
    answer_risks([RiskAt("", state, now_ms)], serving.model, rules.policy.alert_by)
    overdue_ms = overdue_ms_of(state, rules.policy, rules.any_event_returns)
    return 0.0 if math.isnan(state.signal) or now_ms < overdue_ms else state.signal


def _event(row: Row) -> Event | None:
    record = Record(row.offset, row.timestamp_ms, row.key, row.value, row.headers)
    try:
        event = decode_event(record.value, content_type_of(record.headers), record.timestamp_ms, "contract")
    except MalformedEventError:
        return None
    return event if isinstance(event, Event) else None
