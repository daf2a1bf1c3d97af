"""Whatever happened to the cache, a hidden vector is that of its tokens, bit by bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.aggregates import AGGREGATES, advance, empty
from streamer.core.calendar import UTC
from streamer.core.features import features_at
from streamer.core.model import Encoding
from streamer.core.token import TOKEN
from streamer.core.transformer_inputs import transformer_inputs
from streamer.onnx.risk_model import OnnxRiskModel
from tests.bundles import Shopper, demo_bundle

RING = demo_bundle().manifest.exact_tokens
DAY_MS = 86_400_000

users = st.integers(0, 4)
happenings = st.one_of(
    st.tuples(st.just("events"), st.sets(users, min_size=1)),
    st.tuples(st.just("late"), users, st.integers(1, 200 * DAY_MS)),
    st.tuples(st.just("unasked"), users),
    st.tuples(st.just("evict"), users),
    st.tuples(st.just("restart")),
)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 140), min_size=5, max_size=5),
    cache_users=st.integers(1, 6),
    schedule=st.lists(happenings, min_size=1, max_size=60),
)
def test_evictions_restarts_and_late_events_change_no_bit(
    seed: int, lengths: list[int], cache_users: int, schedule: list[tuple]
) -> None:
    people = [Shopper(f"u{number}", np.random.default_rng([seed, number])) for number in range(5)]
    for person, length in zip(people, lengths, strict=True):
        for _ in range(length):
            person.happen(RING)
    served = OnnxRiskModel(demo_bundle(), cache_users)
    steady = OnnxRiskModel(demo_bundle(), 5)
    for happening in schedule:
        asked: list[Encoding | None] = []
        match happening:
            case ("events", who):
                asked = [people[number].happen(RING) for number in sorted(who)]
            case ("late", number, late_ms):
                asked = [people[number].happen(RING, late_ms)]
            case ("unasked", number):
                people[number].happen(RING)
            case ("evict", number):
                served.evict([f"u{number}"])
            case _:
                served = OnnxRiskModel(demo_bundle(), cache_users)
        requests = [request for request in asked if request is not None]
        found = served.encode(requests)
        one_by_one = [steady.encode([request])[0] for request in requests]
        assert [row.tobytes() for row in found] == [row.tobytes() for row in one_by_one]
    rebuilt = OnnxRiskModel(demo_bundle(), 5)
    for person in people:
        if person.ring:
            newest = person.encoding(appended=True)
            assert rebuilt.encode([newest]).tobytes() == steady.encode([newest]).tobytes()


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
