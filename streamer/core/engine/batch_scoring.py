"""Requests of many users answered together: aggregates, encoding and queries as whole arrays."""

from __future__ import annotations

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
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.core.user_state import UserState


def answer_places(places: Sequence[PlaceToken], model: RiskModel) -> None:
    """Bring aggregates, hidden vectors and risks up to each user's newest token."""
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
    _query_now(states, np.array([state.last_ms for state in states], dtype=np.float64), model)


def answer_curves(curves: Sequence[Curve], model: RiskModel) -> None:
    """Ask for every user's risk at every step of the silence grid, in one query."""
    if not curves:
        return
    _refresh([(request.user_id, request.state) for request in curves], model)
    steps = len(model.silence_grid_ms)
    grid = np.array(model.silence_grid_ms, dtype=np.float64)
    last = np.array([request.state.last_ms for request in curves], dtype=np.float64)
    moments = (last[:, np.newaxis] + grid).reshape(-1)
    risks = _query([request.state for request in curves], steps, moments, model).reshape(-1, steps)
    for request, curve in zip(curves, packed_rows(risks), strict=True):
        request.state.curve = curve


def answer_risks(risks: Sequence[RiskAt], model: RiskModel) -> None:
    """Ask for each user's risk at the moment requested."""
    if not risks:
        return
    _refresh([(request.user_id, request.state) for request in risks], model)
    moments = np.array([request.now_ms for request in risks], dtype=np.float64)
    _query_now([request.state for request in risks], moments, model)


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
    probabilities = model.query(*asked).reshape(-1, COALITIONS)
    for request, row in zip(explanations, probabilities.tolist(), strict=True):
        rhythm = Rhythm(request.state.running, request.state.scored_ms)
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


def _query_now(states: Sequence[UserState], moments: npt.NDArray[np.float64], model: RiskModel) -> None:
    for state, risk in zip(states, _query(states, 1, moments, model).tolist(), strict=True):
        state.risk = risk


def _query(
    states: Sequence[UserState], repeat: int, moments: npt.NDArray[np.float64], model: RiskModel
) -> npt.NDArray[np.float64]:
    """Risks at ``moments`` (epoch ms), ``repeat`` of them for each state in turn."""
    aggregates, hidden = stacked([state.running for state in states]), _hidden(states)
    if repeat > 1:
        aggregates, hidden = np.repeat(aggregates, repeat, axis=0), np.repeat(hidden, repeat, axis=0)
    return model.query(hidden, features_at(aggregates, moments))


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
