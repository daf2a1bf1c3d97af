"""One user through one batch: the rules of time and alerts, to be read from top to bottom.

:func:`follow` is a generator that yields what it wants from the model, so the rules read as if for one
user while :mod:`streamer.core.apply` serves all users of a batch at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np

from streamer.core.aggregates import count_late
from streamer.core.changes import AlertChange, Moment, Output, Reason
from streamer.core.episode import consider_risk, resolve
from streamer.core.policy import Policy
from streamer.core.requests import Curve, Place, Request, RiskAt
from streamer.core.ring import Placement, put
from streamer.core.silence import next_crossing
from streamer.core.token import PURCHASE, as_array, place, type_code
from streamer.core.user_state import UserState


class Arrival(NamedTuple):
    """An event of the user: ``record`` is the index of its record in the batch, ``offset`` its offset."""

    record: int
    offset: int
    token: bytes


class Setting(NamedTuple):
    """What is the same for all users of a batch.

    ``horizons_ms[i]``: deadlines up to this moment are due once record i has moved the clock. One more
    entry stands for the end of the batch, where wall time may have moved the clock further.
    """

    partition: int
    horizons_ms: Sequence[int]
    policy: Policy
    silence_grid_ms: tuple[int, ...]
    ring_tokens: int


class Followed(NamedTuple):
    """A user after a batch. ``state`` is ``None`` for one who has expired, or was never there."""

    state: UserState | None
    outputs: list[Output]


Steps = Generator[Request, None, None]


def follow(
    user_id: str, state: UserState | None, arrivals: Sequence[Arrival], setting: Setting
) -> Generator[Request, None, Followed]:
    """Apply ``arrivals`` and every deadline that falls due before, between and after them."""
    user = _User(user_id, state, setting)
    for arrival in arrivals:
        due_ms = setting.horizons_ms[arrival.record]
        yield from user.decide_until(due_ms)
        yield from user.observe(arrival)
        yield from user.decide_until(due_ms, observed=arrival)
    yield from user.decide_until(setting.horizons_ms[-1])
    return Followed(user.state, user.outputs)


class _User:
    def __init__(self, user_id: str, state: UserState | None, setting: Setting) -> None:
        self.user_id = user_id
        self.state = state
        self.setting = setting
        self.outputs: list[Output] = []

    def decide_until(self, due_ms: int, observed: Arrival | None = None) -> Steps:
        """Take every decision whose deadline is at or before ``due_ms``.

        ``observed`` is the event just applied when it is what set those deadlines.
        """
        while (state := self.state) is not None and (deadline := state.deadline_ms) <= due_ms:
            if observed is None:
                moment = Moment(bisect_left(self.setting.horizons_ms, deadline), 0, deadline, self.user_id)
            else:
                moment = Moment(observed.record, 2, deadline, self.user_id)
            yield from self._decide(state, moment)

    def _decide(self, state: UserState, moment: Moment) -> Steps:
        silence_ms = moment.decided_ms - state.last_ms
        if silence_ms >= self.setting.policy.expiry_ms:
            self._put_out(moment, resolve(self.user_id, state, moment.decided_ms, "expired"))
            self.state = None
            return
        if state.curve:
            yield RiskAt(self.user_id, state, moment.decided_ms)
        else:
            yield Curve(self.user_id, state)
            state.risk = state.risk_curve()[0]
        state.scored_ms = moment.decided_ms
        self._put_out(moment, self._consider(state, "silence"))
        self._set_deadline(state)

    def observe(self, arrival: Arrival) -> Steps:
        """Apply one event; a duplicate changes nothing."""
        state = UserState() if self.state is None else self.state
        placed = put(state.ring, arrival.token, self.setting.ring_tokens)
        if placed.placement is Placement.DUPLICATE:
            return
        self.state = state
        state.offset = arrival.offset
        if placed.placement is Placement.TOO_OLD:
            _count_only(state, arrival.token)
            return
        newest_before_ms = state.last_ms if state.ring else None
        yield Place(self.user_id, state, arrival.token, placed)
        moment = Moment(arrival.record, 1, place(arrival.token, 0)[0], self.user_id)
        if type_code(arrival.token) == PURCHASE:
            self._put_out(moment, self._resolve_by_purchase(state, moment.decided_ms, newest_before_ms))
        if placed.placement is Placement.INSERTED and state.curve:
            yield from self._ask_again(state, moment)
            return
        state.curve = b""
        state.scored_ms = state.last_ms
        state.deadline_ms = state.last_ms + self.setting.silence_grid_ms[0]
        if type_code(arrival.token) != PURCHASE:
            self._put_out(moment, self._consider(state, "crossed"))

    def _resolve_by_purchase(
        self, state: UserState, purchase_ms: int, newest_before_ms: int | None
    ) -> AlertChange | None:
        """A purchase closes an alert, also one raised over a silence that the late purchase refutes."""
        if state.episode is None:
            return None
        if purchase_ms > state.episode.opened_ms:
            return resolve(self.user_id, state, purchase_ms, "purchase")
        if newest_before_ms is None or purchase_ms > newest_before_ms:
            return resolve(self.user_id, state, purchase_ms, "late_event")
        return None

    def _ask_again(self, state: UserState, moment: Moment) -> Steps:
        """A late event found its place under a silence that is being watched already."""
        yield Curve(self.user_id, state)
        state.scored_ms = max(state.scored_ms, self.setting.horizons_ms[moment.record])
        yield RiskAt(self.user_id, state, state.scored_ms)
        self._put_out(moment, self._consider(state, "silence"))
        self._set_deadline(state)

    def _consider(self, state: UserState, reason: Reason) -> AlertChange | None:
        setting = self.setting
        return consider_risk(self.user_id, setting.partition, state, state.scored_ms, reason, setting.policy)

    def _set_deadline(self, state: UserState) -> None:
        """The next deadline is where the curve first reaches the band above the open episode's."""
        policy, silence_ms = self.setting.policy, state.scored_ms - state.last_ms
        level = state.episode.level if state.episode else 0
        crossing = None
        if level < len(policy.edges):
            crossing = next_crossing(
                self.setting.silence_grid_ms, state.risk_curve(), policy.edges[level], silence_ms, state.risk
            )
        wait_ms = policy.expiry_ms if crossing is None else min(crossing, policy.expiry_ms)
        state.deadline_ms = state.last_ms + wait_ms

    def _put_out(self, moment: Moment, change: AlertChange | None) -> None:
        if change is not None:
            self.outputs.append(Output(moment, change))


def _count_only(state: UserState, token: bytes) -> None:
    """Count an event older than everything kept into the sums that no order changes."""
    late = as_array(token)
    state.base = count_late(np.frombuffer(state.base)[np.newaxis], late).tobytes()
    state.running = count_late(np.frombuffer(state.running)[np.newaxis], late).tobytes()
