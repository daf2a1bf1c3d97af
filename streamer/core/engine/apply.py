"""The one function of the core: state and records in, state and outputs out.

``apply`` takes in the events that call for no decision as whole arrays, and follows the users to whom
anything else happens side by side. Whenever all of these wait for the model, it serves them together: one
call of the model a round, however many users there are. A user's results depend only on the user's own
records and the clock, so batches may be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from streamer.core.alerts.decisions import Decision, Output
from streamer.core.engine.batch_context import BatchContext
from streamer.core.engine.batch_scoring import answer_curves, answer_explanations, answer_places, answer_risks
from streamer.core.engine.fast_path import FastPathUser, take_fast_path
from streamer.core.engine.grouped_events import GroupedEvents
from streamer.core.engine.model_requests import Curve, Explain, PlaceToken, Rank, Request, RiskAt
from streamer.core.engine.user_process import ProcessedUser, UserSteps, process_user
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState


class Applied(NamedTuple):
    """``states``: users after the batch, ``None`` for those who expired. ``decisions``: in their order."""

    states: dict[str, UserState | None]
    decisions: list[Decision]


def apply(
    states: Mapping[str, UserState | None],
    grouped: GroupedEvents,
    context: BatchContext,
    model: RiskModel,
) -> Applied:
    """Apply a batch to its users.

    ``states``: every user with an arrival or a due deadline, ``None`` for a new one; the values are
    updated in place.
    """
    alert_by = context.policy.alert_by
    taken = take_fast_path(states, grouped, context, model)
    processes = {
        user_id: _process_of(user_id, state, taken.get(user_id), grouped, context)
        for user_id, state in states.items()
        if user_id not in taken or not taken[user_id].over
    }
    processed: dict[str, ProcessedUser] = {}
    waiting = list(processes)
    competing: list[Rank] = []
    while waiting:
        requests: list[Request] = []
        for user_id in waiting:
            try:
                requests.append(next(processes[user_id]))
            except StopIteration as stop:
                processed[user_id] = stop.value
        by_kind = _by_kind(requests)
        competing += by_kind.ranks
        answer_places(by_kind.places, model, alert_by)
        answer_curves(by_kind.curves, model, alert_by)
        answer_risks(by_kind.risks, model, alert_by)
        answer_explanations(by_kind.explanations, model)
        waiting = [request.user_id for request in requests if type(request) is not Rank]
        if not waiting and competing:
            # Nobody else can still ask for a place on the first of these days.
            waiting, competing = _grant_first_day(competing, context)
    outputs: list[Output] = [output for user in processed.values() for output in user.outputs]
    outputs.sort(key=lambda output: output.moment)
    return Applied(
        {
            user_id: processed[user_id].state if user_id in processed else taken[user_id].state
            for user_id in states
        },
        [output.decision for output in outputs],
    )


def _process_of(
    user_id: str,
    state: UserState | None,
    taken: FastPathUser | None,
    grouped: GroupedEvents,
    context: BatchContext,
) -> UserSteps:
    """What is left for the rules."""
    if taken is None:
        return process_user(user_id, state, grouped.of(user_id), context)
    rest = grouped.of(user_id, taken.events - taken.alarming)
    return process_user(user_id, taken.state, rest, context, rest[0] if taken.alarming else None)


class _Requests(NamedTuple):
    """The requests of one round by kind."""

    places: list[PlaceToken]
    curves: list[Curve]
    risks: list[RiskAt]
    explanations: list[Explain]
    ranks: list[Rank]


def _by_kind(requests: Sequence[Request]) -> _Requests:
    sorted_out = _Requests([], [], [], [], [])
    for request in requests:
        # By the exact type, which costs a fraction of matching the classes in turn.
        if type(request) is PlaceToken:
            sorted_out.places.append(request)
        elif type(request) is Curve:
            sorted_out.curves.append(request)
        elif type(request) is RiskAt:
            sorted_out.risks.append(request)
        elif type(request) is Explain:
            sorted_out.explanations.append(request)
        elif type(request) is Rank:
            sorted_out.ranks.append(request)
    return sorted_out


def _grant_first_day(competing: Sequence[Rank], context: BatchContext) -> tuple[list[str], list[Rank]]:
    """Give the first day's places to the highest values; returns its users, and the ranks still open."""
    day_ms = min(rank.day_ms for rank in competing)
    day = int(context.calendar.days(np.array([day_ms], np.float64))[0])
    budget = context.policy.budget_of(context.partition, context.partitions, day)
    today = [rank for rank in competing if rank.day_ms == day_ms]
    for rank in sorted(today, key=lambda rank: (-rank.value, rank.user_id))[:budget]:
        rank.granted = True
    return [rank.user_id for rank in today], [rank for rank in competing if rank.day_ms != day_ms]
