"""What a benchmark gives to those that it compares: whose turn it is, their pasts, and the full graph."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from schemas.event import Event
from schemas.wire.decoding import decode_event
from streamer.bench.contest.verification import unscored
from streamer.bench.input.order import BURST, order_of
from streamer.bench.input.prepared import BEFORE_RING, Prepared, joined, prepare, rules_of
from streamer.bench.input.shop import START_MS, Till, user_id
from streamer.bench.peers.full_graph import FullGraph, decode_peer_state
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition
from streamer.core.history.token import TOKEN_BYTES, as_array, tokenise
from streamer.core.user_state import UserState, decode_state
from streamer.inference.bundle import Bundle, load_bundle
from streamer.inference.risk_model import OnnxRiskModel

BUNDLE = Path(__file__).parents[3] / "streamer" / "demo" / "bundle"
HISTORIES = 40
USERS = 100


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


@pytest.fixture(scope="module")
def prepared(bundle: Bundle) -> Prepared:
    return joined(list(prepare(bundle, HISTORIES, 60.0, seed=0)))


def test_an_order_is_the_same_however_it_is_cut() -> None:
    for workload in ("hot", "session", "cold"):
        whole = order_of(workload, 500, 16, seed=1)
        parts = order_of(workload, 500, 16, seed=1)
        cut = np.concatenate([parts.next(300), parts.next(1), parts.next(299)])
        if workload != "hot":
            assert np.array_equal(whole.next(600), cut)
        assert cut.min() >= 0
        assert cut.max() < 500


def test_a_session_is_a_burst_of_eight_among_others_and_a_cold_event_another_user_each() -> None:
    bursts = order_of("session", 64, 16, seed=1).next(64 * BURST)
    assert set(Counter(bursts.tolist()).values()) == {BURST}
    for user in range(64):
        turns = np.flatnonzero(bursts == user)
        assert turns[-1] - turns[0] < 16 * BURST
    assert sorted(order_of("cold", 64, 16, seed=1).next(64).tolist()) == list(range(64))


def test_events_are_a_shops_and_come_later_each() -> None:
    till = Till(np.random.default_rng(0))
    records = till.records(np.array([3, 1, 3])) + till.records(np.array([1]))
    events = [decode_event(value, None, time_ms) for _, value, time_ms in records]
    assert [event.user_id for event in events if isinstance(event, Event)] == [
        user_id(n) for n in (3, 1, 3, 1)
    ]
    times = [time_ms for _, _, time_ms in records]
    assert times == sorted(set(times))
    assert till.newest_ms == {user_id(3).encode(): times[2], user_id(1).encode(): times[3]}


def test_prepared_users_have_full_rings_and_nothing_is_due_while_the_benchmark_runs(
    bundle: Bundle, prepared: Prepared
) -> None:
    capacity = bundle.manifest.exact_tokens
    states = [decode_state(value) for _, value, _ in prepared.worker_records(USERS, seed=1)]
    assert len(states) == USERS
    for state in states:
        assert len(state.ring) == capacity * TOKEN_BYTES
        assert state.placed == BEFORE_RING + capacity
        assert 0.0 < state.risk < 1.0
        assert len(state.hidden) == 4 * bundle.manifest.width
        assert state.deadline_ms > START_MS + 3_600_000
    assert len({state.ring for state in states}) == USERS
    hashes = {int(event) for state in states for event in as_array(state.ring)["event"]}
    assert len(hashes) > 0.99 * USERS * capacity


def test_a_peer_scores_as_the_worker_does(bundle: Bundle, prepared: Prepared) -> None:
    """The full graph over the last tokens, beside the core with its cache of keys and values."""
    states = {
        key.decode(): decode_state(value) for key, value, _ in prepared.worker_records(HISTORIES, seed=1)
    }
    theirs = [decode_peer_state(value) for _, value, _ in prepared.peer_records(HISTORIES, seed=1)]
    model, graph = OnnxRiskModel(bundle, arena_users=HISTORIES), FullGraph(bundle)
    partition = Partition(0, rules_of(bundle.manifest, 60.0), model)
    till = Till(np.random.default_rng(0))
    for turn in range(2):
        tokens: list[bytes] = []
        arrived: list[PartitionEvent] = []
        for key, value, time_ms in till.records(np.arange(HISTORIES)):
            event = decode_event(value, None, time_ms)
            assert isinstance(event, Event)
            tokens.append(tokenise(event))
            arrived.append(PartitionEvent(turn, time_ms, key.decode(), tokens[-1]))
        applied = partition.apply(states.get, arrived, None).states
        risks = graph.score(theirs, tokens)
        for number, (state, peer, risk) in enumerate(zip(applied.values(), theirs, risks, strict=True)):
            assert isinstance(state, UserState), number
            assert risk == pytest.approx(state.risk, abs=1e-5)
            assert (peer.ring, peer.running) == (state.ring, state.running)
            assert (peer.placed, peer.time_before_ring) == (state.placed, state.time_before_ring)


def test_a_state_made_in_preparation_needs_no_second_look(bundle: Bundle, prepared: Prepared) -> None:
    """A worker looks again at states that other rules have made; that would be work that nobody measures."""
    rules = rules_of(bundle.manifest, 60.0)
    stamps = {state.alert_state.stamp for state in prepared.states}
    partition = Partition(0, rules, OnnxRiskModel(bundle, arena_users=1))
    assert stamps == {partition._stamp}


def test_users_whose_newest_event_no_score_knows_are_found() -> None:
    events = {b"a": 1_000, b"b": 2_500, b"c": 3_000}
    newest = {"a": "1970-01-01T00:00:01Z", "b": "1970-01-01T00:00:02Z"}
    assert unscored(events, newest) == ["b", "c"]
