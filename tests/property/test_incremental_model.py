"""Whatever happened to the cache, a hidden vector is that of its tokens, bit by bit, in either precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bundle.manifest import ArenaPrecision
from schemas.units import DAY_MS
from streamer.core.history.aggregates import AGGREGATES, advance, empty
from streamer.core.history.calendar import UTC
from streamer.core.history.token import TOKEN
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import Encoding
from streamer.core.model.transformer_inputs import transformer_inputs
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import Shopper, demo_bundle
from tests.graphs_bundle import full_run, loaded

RING = demo_bundle().manifest.exact_tokens

BUNDLES: dict[str, Callable[[], Bundle]] = {
    "fp32": loaded,
    "fp16": lambda: loaded("fp16"),
}

users = st.integers(0, 4)
happenings = st.one_of(
    st.tuples(st.just("events"), st.dictionaries(users, st.integers(1, 5), min_size=1)),
    st.tuples(st.just("late"), users, st.integers(1, 200 * DAY_MS)),
    st.tuples(st.just("unasked"), users),
    st.tuples(st.just("evict"), users),
    st.tuples(st.just("restart")),
)


@pytest.mark.parametrize("kind", BUNDLES)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 140), min_size=5, max_size=5),
    arena_users=st.integers(1, 6),
    schedule=st.lists(happenings, min_size=1, max_size=60),
)
def test_evictions_restarts_and_late_events_change_no_bit(
    kind: str, seed: int, lengths: list[int], arena_users: int, schedule: list[tuple]
) -> None:
    bundle = BUNDLES[kind]()
    people = [Shopper(f"u{number}", np.random.default_rng([seed, number])) for number in range(5)]
    for person, length in zip(people, lengths, strict=True):
        for _ in range(length):
            person.happen(RING)
    served = OnnxRiskModel(bundle, arena_users)
    steady = OnnxRiskModel(bundle, 5)
    for happening in schedule:
        asked: list[Encoding | None] = []
        match happening:
            case ("events", counts):
                # In whatever order they come, and several of a user at once.
                asked = [_happen(people[number], times) for number, times in counts.items()]
            case ("late", number, late_ms):
                asked = [people[number].happen(RING, late_ms)]
            case ("unasked", number):
                people[number].happen(RING)
            case ("evict", number):
                served.forget([f"u{number}"])
            case _:
                served = OnnxRiskModel(bundle, arena_users)
        requests = [request for request in asked if request is not None]
        found = served.encode(requests)
        one_by_one = [steady.encode([request])[0] for request in requests]
        assert [row.tobytes() for row in found] == [row.tobytes() for row in one_by_one]
    rebuilt = OnnxRiskModel(bundle, 5)
    for person in people:
        if person.ring:
            newest = person.encoding(appended=True)
            assert rebuilt.encode([newest]).tobytes() == steady.encode([newest]).tobytes()


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 1e-3)])
@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    arena_users=st.integers(1, 30),
    batches=st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["", "evict", "restart"])), max_size=40),
)
def test_whatever_the_batches_the_full_run_over_the_history_gives_the_same(
    precision: ArenaPrecision,
    tolerance: float,
    seed: int,
    arena_users: int,
    batches: list[tuple[int, str]],
) -> None:
    random = np.random.default_rng(seed)
    people = [Shopper(f"u{number}", np.random.default_rng([seed, number])) for number in range(20)]
    histories = {person.user_id: b"" for person in people}
    hidden: dict[str, np.ndarray] = {}
    served = OnnxRiskModel(loaded(precision), arena_users)
    for size, after in batches:
        requests: list[Encoding] = []
        for number in random.permutation(len(people))[:size]:
            for _ in range(random.integers(1, 12)):
                request = people[number].happen(RING)
                assert request is not None
                histories[request.user_id] += request.ring[-TOKEN.itemsize :]
            requests.append(people[number].encoding(appended=True))
        found = served.encode(requests)
        hidden.update(zip((request.user_id for request in requests), found, strict=True))
        if after == "evict":
            served.forget(f"u{number}" for number in random.integers(0, len(people), 5))
        elif after == "restart":
            served = OnnxRiskModel(loaded(precision), arena_users)
    seen = [user_id for user_id in histories if user_id in hidden]
    if seen:
        whole = full_run([histories[user_id] for user_id in seen])
        found = np.stack([hidden[user_id] for user_id in seen])
        assert (np.abs(found - whole) / (1 + np.abs(whole))).max() <= tolerance


def _happen(person: Shopper, times: int) -> Encoding | None:
    """The request for the newest of so many events."""
    return [person.happen(RING) for _ in range(times)][-1]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 70), steps=st.integers(1, 6))
def test_numpy_features_of_a_row_depend_on_that_row_alone(seed: int, rows: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    together, alone = empty(rows), np.empty((rows, len(AGGREGATES)))
    time = np.full(rows, 1_500_000_000_000)
    history = []
    for _ in range(steps):
        tokens = np.zeros(rows, TOKEN)
        time = time + random.integers(0, 40 * DAY_MS, rows)
        tokens["time"], tokens["value"] = time, random.lognormal(3, 2, rows)
        tokens["type"], tokens["lines"] = random.choice([0, 6, 7], rows), random.integers(0, 256, rows)
        history.append(tokens)
        together = advance(together, tokens, UTC)
    for row in range(rows):
        single = empty(1)
        for tokens in history:
            single = advance(single, tokens[row : row + 1], UTC)
        alone[row] = single
    assert together.tobytes() == alone.tobytes()
    now = time + random.exponential(30 * DAY_MS, rows)
    features = features_at(together, now)
    each = [features_at(together[row : row + 1], now[row : row + 1]) for row in range(rows)]
    assert features.tobytes() == np.concatenate(each).tobytes()
    before = np.where(random.random(rows) < 0.2, np.nan, time - random.exponential(DAY_MS, rows))
    inputs = transformer_inputs(history[-1], before, 512, 1024, UTC)
    for row in range(rows):
        single_input = transformer_inputs(history[-1][row : row + 1], before[row : row + 1], 512, 1024, UTC)
        assert single_input.numbers.tobytes() == inputs.numbers[row].tobytes()
        assert single_input.codes.tobytes() == inputs.codes[row].tobytes()
