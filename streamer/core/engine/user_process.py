"""One user through one batch: the rules of time and alerts, to be read from top to bottom.

:func:`process_user` is a generator that yields what it wants from the model, so the rules read as if for one
user while :mod:`streamer.core.engine.apply` serves all users of a batch at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple

from streamer.core.alerts.decisions import Decision, Moment, Output, Reason
from streamer.core.alerts.lifecycle import Situation, consider, resolve
from streamer.core.alerts.turns import Followed, turns
from streamer.core.engine.batch_context import BatchContext
from streamer.core.engine.grouped_events import UserEvent
from streamer.core.engine.model_requests import Curve, Explain, PlaceToken, Rank, Request, RiskAt
from streamer.core.engine.stakes import overdue_ms_of, was_on_time, with_stakes
from streamer.core.history.ring import Placed, Placement, put
from streamer.core.history.token import PURCHASE, is_action, newest_action, place, type_code
from streamer.core.insights.value import spend_rate
from streamer.core.user_state import UserState


class ProcessedUser(NamedTuple):
    """A user after a batch. ``state`` is ``None`` for one who has expired, or was never there."""

    state: UserState | None
    outputs: list[Output]


Steps = Generator[Request, None, None]
UserSteps = Generator[Request, None, ProcessedUser]


def process_user(
    user_id: str,
    state: UserState | None,
    events: Sequence[UserEvent],
    context: BatchContext,
    alarming: UserEvent | None = None,
) -> UserSteps:
    """Apply ``events`` and every deadline that falls due before, between and after them.

    ``alarming``: the first of them, if it is in ``state`` already and only its risk is to be judged.
    """
    user = UserProcess(user_id, state, context)
    for event in events:
        due_ms = context.horizons_ms[event.record]
        if event is alarming:
            yield from user.weigh(event)
        else:
            if user.is_due(due_ms):
                yield from user.decide_until(due_ms)
            yield from user.observe(event)
        if user.is_due(due_ms):
            yield from user.decide_until(due_ms, observed=event)
    end_ms = context.horizons_ms[-1]
    if user.is_due(end_ms):
        yield from user.decide_until(end_ms)
    user.take_up()
    if user.is_due(end_ms):
        yield from user.decide_until(end_ms)
    return ProcessedUser(user.state, user.outputs)


class UserProcess:
    """``outputs``: decisions so far. ``applied``: how many records of the batch came before the next one."""

    __slots__ = ("applied", "context", "outputs", "state", "user_id")

    def __init__(self, user_id: str, state: UserState | None, context: BatchContext) -> None:
        self.user_id = user_id
        self.state = state
        self.context = context
        self.outputs: list[Output] = []
        self.applied = 0

    def is_due(self, due_ms: int) -> bool:
        """Whether there is a decision to take whose deadline is at or before ``due_ms``."""
        return self.state is not None and self.state.deadline_ms <= due_ms

    def decide_until(self, due_ms: int, observed: UserEvent | None = None) -> Steps:
        """Take every decision whose deadline is at or before ``due_ms``.

        ``observed`` is the event just applied when it is what set those deadlines.
        """
        while (state := self.state) is not None and (deadline := state.deadline_ms) <= due_ms:
            if observed is None:
                record = max(bisect_left(self.context.horizons_ms, deadline), self.applied)
                moment = Moment(record, 0, deadline, self.user_id)
            else:
                moment = Moment(observed.record, 2, deadline, self.user_id)
            yield from self._decide(state, moment)

    def take_up(self) -> None:
        """Look again at what waited for the partition to catch up, now that it has."""
        state, horizons = self.state, self.context.horizons_ms
        if (
            state is not None
            and state.alert_state.obstacle == "lag"
            and self.context.current_ms <= horizons[-1]
        ):
            state.deadline_ms = min(state.deadline_ms, max(horizons[-1], state.last_ms))

    def _decide(self, state: UserState, moment: Moment) -> Steps:
        now_ms, policy = moment.decided_ms, self.context.policy
        silence_ms = now_ms - state.last_ms
        episode = state.alert_state.episode
        if silence_ms >= policy.expiry_ms:
            self._resolve(state, moment, now_ms, "expired")
            self.state = None
            return
        if episode is not None and now_ms >= episode.opened_ms + policy.horizon_ms:
            self._resolve(state, moment, now_ms, "expired")
        if silence_ms < self.context.silence_grid_ms[0] or state.alert_state.stamp != self.context.stamp:
            state.drop_curves()
        if silence_ms < 0 or state.has_just_bought(now_ms, self.context.silence_grid_ms[0]):
            # The newest event is ahead of the clock, and was judged by itself; or it was a purchase.
            self._set_deadline(state, None)
            return
        yield from self._judge(state, moment, now_ms)

    def _judge(self, state: UserState, moment: Moment, now_ms: int) -> Steps:
        """Follow the risk as of ``now_ms``, and the curve where the silence is long enough for one."""
        first_ms = state.last_ms + self.context.silence_grid_ms[0]
        is_new = now_ms >= first_ms and not state.curve
        if is_new:
            yield Curve(self.user_id, state)
        if not is_new or now_ms > first_ms:
            yield RiskAt(self.user_id, state, now_ms)
        state.scored_ms = now_ms
        yield from self._consider(state, moment, "silence" if now_ms >= first_ms else "crossed")

    def observe(self, event: UserEvent) -> Steps:
        """Apply one event; a duplicate changes nothing."""
        self.applied = event.record + 1
        state = UserState() if self.state is None else self.state
        placed = put(state.ring, event.token, self.context.ring_tokens, state.time_before_ring)
        if placed.placement is Placement.DUPLICATE:
            return
        self.state = state
        state.offset = event.offset
        event_ms = place(event.token, 0)[0]
        if placed.placement is Placement.TOO_OLD:
            state.count_late(event.token)
            return
        moment = Moment(event.record, 1, event_ms, self.user_id)
        if not is_action(event.token):
            yield from self._take_note(state, event, placed, moment)
            return
        newest = placed.placement is Placement.APPENDED or event_ms > state.last_ms
        watched = bool(state.curve) and not newest
        yield PlaceToken(self.user_id, state, event.token, placed)
        yield from self._refute(state, event, moment, newest)
        state.drop_curves()
        episode = state.alert_state.episode
        if watched or (episode is not None and event_ms < episode.changed_ms):
            # A late event found its place before what has been decided already.
            due_ms = self.context.horizons_ms[event.record]
            yield from self._judge(state, moment, max(state.scored_ms, state.last_ms, due_ms))
            return
        state.scored_ms = state.last_ms
        if PURCHASE in (type_code(event.token), newest_action(state.ring)):
            self._set_deadline(state, None)
        else:
            yield from self._consider(state, moment, "crossed")

    def _take_note(self, state: UserState, event: UserEvent, placed: Placed, moment: Moment) -> Steps:
        """Take in what the shop did: the risk may be another one now, the silence goes on."""
        yield PlaceToken(self.user_id, state, event.token, placed)
        state.drop_curves()
        now_ms = max(state.scored_ms, state.last_ms, self.context.horizons_ms[event.record])
        if state.has_just_bought(now_ms, self.context.silence_grid_ms[0]):
            state.scored_ms = state.last_ms
            return self._set_deadline(state, None)
        yield from self._judge(state, moment, now_ms)

    def weigh(self, event: UserEvent) -> Steps:
        """Judge an event that is the user's newest, no purchase, and came while nothing was open."""
        self.applied = event.record + 1
        assert self.state is not None
        moment = Moment(event.record, 1, self.state.last_ms, self.user_id)
        yield from self._consider(self.state, moment, "crossed")

    def _refute(self, state: UserState, event: UserEvent, moment: Moment, newest: bool) -> Iterable[Request]:
        """Close an alert that the event shows to be over, or never to have been true."""
        if not state.alert_state.is_idle:
            return self._refute_episode(state, event, moment, newest)
        if state.alert_state.obstacle is not None and self._returns(event):
            state.alert_state.obstacle = None
        return ()

    def _refute_episode(self, state: UserState, event: UserEvent, moment: Moment, newest: bool) -> Steps:
        event_ms, episode = moment.decided_ms, state.alert_state.episode
        returned = self._returns(event)
        if returned and (episode is None or event_ms > episode.opened_ms):
            reason: Reason = "purchase" if type_code(event.token) == PURCHASE else "recovered"
            self._resolve(state, moment, event_ms, reason)
        elif episode is not None and newest and event_ms <= episode.opened_ms:
            newest_scores = state.scores()
            yield RiskAt(self.user_id, state, episode.opened_ms)
            if returned or self.context.policy.level_from(episode.level, state.signal) == 0:
                self._resolve(state, moment, event_ms, "late_event")
            state.note(newest_scores)
        elif returned and was_on_time(state, self.context.policy, self.context.any_event_returns, event_ms):
            self._resolve(state, moment, event_ms, "late_event")

    def _returns(self, event: UserEvent) -> bool:
        """Whether the event is of the kind whose absence is churn."""
        return self.context.any_event_returns or type_code(event.token) == PURCHASE

    def _resolve(self, state: UserState, moment: Moment, now_ms: int, reason: Reason) -> None:
        if state.alert_state.is_idle:
            return
        self._put_out(
            state, moment, resolve(state.alert_state, self._situation(state, moment, now_ms, reason))
        )

    def _consider(self, state: UserState, moment: Moment, reason: Reason) -> Iterable[Request]:
        """Follow the signal as of ``state.scored_ms``, and set the next deadline."""
        alert_state = state.alert_state
        to_record = reason == "silence" and alert_state.obstacle is None and math.isnan(state.signal)
        if alert_state.is_idle and not self.context.policy.level(state.signal) and not to_record:
            self._set_deadline(state, None)
            return ()
        return self._consider_bands(state, moment, reason)

    def _consider_bands(self, state: UserState, moment: Moment, reason: Reason) -> Steps:
        policy, alert_state = self.context.policy, state.alert_state
        now = self._situation(state, moment, state.scored_ms, reason)
        verdict = consider(alert_state, now, policy)
        if verdict.competes:
            value = state.loss if policy.alert_by == "loss" else state.risk * spend_rate(state.running)
            rank = Rank(self.user_id, alert_state.rank_ms, value)
            yield rank
            verdict = consider(alert_state, now._replace(granted=rank.granted), policy)
        explained = Explain(self.user_id, state, self.context.any_event_returns)
        if any(one.action == "sent" and one.transition != "resolved" for one in verdict.decisions):
            yield explained
        self._put_out(state, moment, verdict.decisions, explained)
        self._set_deadline(state, verdict.again_ms)

    def _situation(self, state: UserState, moment: Moment, now_ms: int, reason: Reason) -> Situation:
        return Situation(
            user_id=self.user_id,
            partition=self.context.partition,
            offset=state.offset,
            now_ms=now_ms,
            last_ms=state.last_ms,
            risk=state.risk,
            signal=state.signal,
            active_days=state.active_days,
            reason=reason,
            calendar=self.context.calendar,
            open_ms=now_ms if moment.phase == 0 else self.context.horizons_ms[moment.record],
            held=min(now_ms, self.context.horizons_ms[moment.record]) < self.context.current_ms,
            overdue_ms=overdue_ms_of(state, self.context.policy, self.context.any_event_returns),
        )

    def _set_deadline(self, state: UserState, again_ms: int | None) -> None:
        """The next moment at which a decision may fall: of all there are, the first."""
        policy, last_ms = self.context.policy, state.last_ms
        state.alert_state.stamp = self.context.stamp
        due_ms = last_ms + policy.expiry_ms
        if again_ms is not None:
            due_ms = min(due_ms, again_ms)
        if state.alert_state.episode is not None:
            due_ms = min(due_ms, state.alert_state.episode.opened_ms + policy.horizon_ms)
        if not state.curve:
            due_ms = min(due_ms, last_ms + self.context.silence_grid_ms[0])
        else:
            followed = Followed(self.context.silence_grid_ms, state.followed_curve(), state.signal)
            raise_from_ms = overdue_ms_of(state, policy, self.context.any_event_returns) - last_ms
            silences = turns(policy, followed, state.alert_state, state.scored_ms - last_ms, raise_from_ms)
            due_ms = min((due_ms, *(last_ms + silence_ms for silence_ms in silences)))
        state.deadline_ms = due_ms

    def _put_out(
        self,
        state: UserState,
        moment: Moment,
        decisions: Iterable[Decision],
        explained: Explain | None = None,
    ) -> None:
        """Put decisions on record; those sent also say why, and what to expect."""
        for decision in decisions:
            if decision.action == "sent":
                decision = with_stakes(
                    decision,
                    state,
                    foretells_decline=self.context.foretells_decline,
                    any_event_returns=self.context.any_event_returns,
                )
                if explained is not None:
                    decision = decision._replace(drivers=explained.drivers, outlook=explained.outlook)
            self.outputs.append(Output(moment, decision))
