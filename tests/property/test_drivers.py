"""Importances add up to the difference between the risk and the reference risk, and no batch changes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.engine.batch_scoring import answer_explanations
from streamer.core.engine.model_requests import Explain
from streamer.core.history.aggregates import empty, fold
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array, tokenise
from streamer.core.insights.drivers import log_odds
from streamer.core.model.features import features_at
from streamer.core.model.reference import from_ages
from streamer.core.user_state import UserState
from streamer.inference.risk_model import OnnxRiskModel
from streamer.worker.stage.messages import IMPORTANCE_DECIMALS, PROBABILITY_DECIMALS
from tests.bundles import demo_bundle

START_MS = 1_483_228_800_000
MODEL = OnnxRiskModel(demo_bundle(), arena_users=4)

steps = st.tuples(
    st.sampled_from((0, 60_000, 3_600_000, DAY_MS, 5 * DAY_MS, 70 * DAY_MS)),
    st.sampled_from(("view", "add_to_cart", "purchase", "refund")),
    st.none() | st.floats(-1e6, 1e9),
)
silences = st.floats(0, 500).map(lambda days: int(days * DAY_MS))


@st.composite
def users(draw: st.DrawFn) -> UserState:
    """A user with any short history and any hidden vector, scored after any silence."""
    now_ms, tokens = START_MS, b""
    for number, (gap_ms, event_type, value) in enumerate(draw(st.lists(steps, min_size=1, max_size=12))):
        now_ms += gap_ms
        tokens += tokenise(Event(f"e{number}", "u", event_type, now_ms, value=value))
    hidden = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 2, demo_bundle().manifest.width)
    return UserState(
        ring=tokens,
        running=fold(empty(1), [as_array(tokens)], UTC).tobytes(),
        hidden=hidden.astype(np.float32).tobytes(),
        model=MODEL.identity,
        scored_ms=now_ms + draw(silences),
    )


def explain(states: list[UserState], *, any_event_returns: bool = False) -> list[Explain]:
    requests = [Explain(str(number), state, any_event_returns) for number, state in enumerate(states)]
    answer_explanations(requests, MODEL)
    return requests


def risk_of(state: UserState) -> float:
    """The user's risk, asked as it is for a score."""
    features = features_at(np.frombuffer(state.running)[np.newaxis], np.array([float(state.scored_ms)]))
    return served_risk(np.frombuffer(state.hidden, np.float32), features)


def reference_risk() -> float:
    reference = MODEL.reference
    assert reference is not None
    features = features_at(from_ages(reference.ages[np.newaxis]), np.array([reference.silence_ms]))
    return served_risk(reference.hidden, features)


def served_risk(hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> float:
    answers = MODEL.query(hidden[np.newaxis], features)
    assert answers.decline is not None
    (risk,) = answers.decline
    return float(risk)


@given(state=users(), any_event_returns=st.booleans())
@settings(max_examples=200, deadline=None)
def test_importances_add_up(state: UserState, any_event_returns: bool) -> None:
    (explained,) = explain([state], any_event_returns=any_event_returns)
    total = sum(driver.importance for driver in explained.drivers)
    assert total == pytest.approx(log_odds(risk_of(state)) - log_odds(reference_risk()), abs=1e-9)
    sizes = [abs(driver.importance) for driver in explained.drivers]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 5


@given(state=users())
@settings(max_examples=100, deadline=None)
def test_what_an_alert_shows_adds_up_within_a_thousandth(state: UserState) -> None:
    risk = risk_of(state)
    assume(0.01 <= risk <= 0.99)
    (explained,) = explain([state])
    shown = sum(round(driver.importance, IMPORTANCE_DECIMALS) for driver in explained.drivers)
    stated = demo_bundle().manifest.reference
    assert stated is not None
    difference = log_odds(round(risk, PROBABILITY_DECIMALS)) - log_odds(stated.probability)
    assert shown == pytest.approx(difference, abs=1e-3)


@given(states=st.lists(users(), min_size=1, max_size=50))
@settings(max_examples=40, deadline=None)
def test_a_user_has_the_same_drivers_in_any_batch(states: list[UserState]) -> None:
    together = explain(states)
    alone = [explain([state])[0] for state in states]
    assert [request.drivers for request in together] == [request.drivers for request in alone]
