"""Requests of many users answered together: aggregates, encoding and queries as whole arrays."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import numpy as np
import numpy.typing as npt

from streamer.core.engine.model_requests import Curve, Explain, PlaceToken, RiskAt
from streamer.core.history.aggregates import advance, fold
from streamer.core.history.calendar import Calendar
from streamer.core.history.packed import packed_rows, stacked
from streamer.core.history.ring import Placement
from streamer.core.history.token import TOKEN_BYTES, as_array, place
from streamer.core.insights.drivers import COALITIONS, coalitions, drivers_of, importances
from streamer.core.insights.outlook import known_outlook
from streamer.core.insights.rhythm import Rhythm
from streamer.core.model.assessment import AlertBy, Assessment, assess
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.core.user_state import Scores, UserState


def answer_places(places: Sequence[PlaceToken], model: RiskModel, alert_by: AlertBy) -> None:
    """Bring aggregates, hidden vectors and scores up to each user's newest token."""
    if not places:
        return
    identity = model.identity
    stale = {
        request.user_id
        for request in places
        if request.placed.placement is Placement.INSERTED or _is_another_models(request.state, identity)
    }
    _take_in(places, stale, model.calendar)
    for request in places:
        request.state.ring = request.placed.ring
        request.state.placed += 1
    if stale:
        _count_anew([request.state for request in places if request.user_id in stale], model.calendar)
    _encode([(request.user_id, request.state) for request in places], stale, model)
    states = [request.state for request in places]
    _score(states, np.array([state.last_ms for state in states], dtype=np.float64), model, alert_by)


def answer_curves(curves: Sequence[Curve], model: RiskModel, alert_by: AlertBy) -> None:
    """Ask about every user at every step of the silence grid, in one query."""
    if not curves:
        return
    _refresh([(request.user_id, request.state) for request in curves], model)
    steps = len(model.silence_grid_ms)
    grid = np.array(model.silence_grid_ms, dtype=np.float64)
    last = np.array([request.state.last_ms for request in curves], dtype=np.float64)
    moments = (last[:, np.newaxis] + grid).reshape(-1)
    states = [request.state for request in curves]
    asked = assess(model, stacked([state.running for state in states]), _hidden(states), moments, steps)
    for state, curve in zip(states, packed_rows(_curves(asked.absence, steps)), strict=True):
        state.curve = curve
    if asked.usual is not None:
        signals = packed_rows(_curves(asked.signals(alert_by), steps))
        for state, curve in zip(states, signals, strict=True):
            state.signal_curve = curve
    note(states, asked.at(slice(0, None, steps)), alert_by)


def answer_risks(risks: Sequence[RiskAt], model: RiskModel, alert_by: AlertBy) -> None:
    """Ask about each user at the moment requested."""
    if not risks:
        return
    _refresh([(request.user_id, request.state) for request in risks], model)
    moments = np.array([request.now_ms for request in risks], dtype=np.float64)
    _score([request.state for request in risks], moments, model, alert_by)


def answer_explanations(explanations: Sequence[Explain], model: RiskModel) -> None:
    """Find drivers and outlooks of users whose risks were just asked of ``model``, as far as it can tell."""
    if not explanations:
        return
    states = [request.state for request in explanations]
    aggregates, hidden = stacked([state.running for state in states]), _hidden(states)
    moments = np.array([state.scored_ms for state in states], dtype=np.float64)
    rings = [state.ring for state in states]
    outlooks = model.outlook(hidden, features_at(aggregates, moments), rings)
    for request, outlook in zip(explanations, outlooks, strict=True):
        request.outlook = known_outlook(outlook, request.state.running)
    if model.reference is None:
        return
    asked = coalitions(aggregates, hidden, moments, model.reference)
    answers = model.query(*asked)
    probabilities = answers.absence if answers.decline is None else answers.decline
    for request, row in zip(explanations, probabilities.reshape(-1, COALITIONS).tolist(), strict=True):
        state = request.state
        usual = None if answers.decline is None else (state.usual_visit_days, state.usual_spend)
        rhythm = Rhythm(state.running, state.scored_ms, usual)
        request.drivers = drivers_of(importances(row), rhythm, request.any_event_returns)


def _take_in(places: Sequence[PlaceToken], stale: Container[str], calendar: Calendar) -> None:
    """Fold what left the rings into the bases, and the new tokens into all running values but the stale."""
    left = [request for request in places if len(request.placed.left) == TOKEN_BYTES]
    appended = [request for request in places if request.user_id not in stale]
    before = [request.state.past for request in left] + [request.state.running for request in appended]
    if before:
        tokens = [request.placed.left for request in left] + [request.token for request in appended]
        after = packed_rows(advance(stacked(before), as_array(b"".join(tokens)), calendar))
        for request, row in zip(left, after[: len(left)], strict=True):
            request.state.base = row
            request.state.time_before_ring = float(place(request.placed.left, 0)[0])
        for request, row in zip(appended, after[len(left) :], strict=True):
            request.state.running = row
    _take_several([request for request in places if len(request.placed.left) > TOKEN_BYTES], calendar)


def _take_several(places: Sequence[PlaceToken], calendar: Calendar) -> None:
    """Fold all that left into the bases, where the ring's capacity has shrunk."""
    if not places:
        return
    left = [as_array(request.placed.left) for request in places]
    rows = packed_rows(fold(stacked([request.state.past for request in places]), left, calendar))
    for request, tokens, row in zip(places, left, rows, strict=True):
        request.state.base = row
        request.state.time_before_ring = float(tokens["time"][-1])


def _refresh(users: Sequence[tuple[str, UserState]], model: RiskModel) -> None:
    """Count and encode anew those whose hidden vector another model made: its days may be others."""
    identity = model.identity
    other = [(user_id, state) for user_id, state in users if _is_another_models(state, identity)]
    _count_anew([state for _, state in other], model.calendar)
    _encode(other, {user_id for user_id, _ in other}, model)


def _encode(users: Sequence[tuple[str, UserState]], stale: set[str], model: RiskModel) -> None:
    if not users:
        return
    encodings = [
        Encoding(user_id, state.ring, state.placed - 1, state.time_before_ring, user_id not in stale)
        for user_id, state in users
    ]
    identity = model.identity
    for (_, state), hidden in zip(users, packed_rows(model.encode(encodings)), strict=True):
        state.hidden = hidden
        state.model = identity


def _score(
    states: Sequence[UserState], moments: npt.NDArray[np.float64], model: RiskModel, alert_by: AlertBy
) -> None:
    aggregates = stacked([state.running for state in states])
    note(states, assess(model, aggregates, _hidden(states), moments), alert_by)


def note(states: Sequence[UserState], assessed: Assessment, alert_by: AlertBy) -> None:
    """Write into ``states`` what was found of each."""
    if assessed.usual is None:
        for state, risk in zip(states, assessed.risk.tolist(), strict=True):
            state.risk = state.absence = state.signal = risk
            state.loss = state.usual_visit_days = state.usual_spend = math.nan
        return
    usual = assessed.usual
    columns = (assessed.risk, assessed.absence, assessed.loss, assessed.signals(alert_by))
    found = zip(*(column.tolist() for column in (*columns, usual.visit_days, usual.spend)), strict=True)
    for state, scores in zip(states, found, strict=True):
        state.note(Scores(*scores))


def _curves(values: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float32]:
    return values.reshape(-1, steps).astype(np.float32)


def _hidden(states: Sequence[UserState]) -> npt.NDArray[np.float32]:
    width = len(states[0].hidden) // 4
    packed = b"".join(state.hidden for state in states)
    return np.frombuffer(packed, dtype=np.float32).reshape(-1, width)


def _is_another_models(state: UserState, identity: bytes) -> bool:
    return state.model != identity and bool(state.model)


def _count_anew(states: Sequence[UserState], calendar: Calendar) -> None:
    if not states:
        return
    rings = [as_array(state.ring) for state in states]
    rows = packed_rows(fold(stacked([state.past for state in states]), rings, calendar))
    for state, row in zip(states, rows, strict=True):
        state.running = row
