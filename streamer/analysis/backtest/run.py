"""A backtest put together: the policy as it stands, and models compared at one number of alerts a week."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from schemas.errors import ConfigurationError
from schemas.event import Event, is_return
from streamer.analysis.backtest.budget import edge_for, with_watch_edge
from streamer.analysis.backtest.judgement import Judgement, Period, judge, raised_in
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Rules
from streamer.core.model.risk_model import RiskModel
from streamer.testing import PartitionDriver, Snapshot, partition_events

Progress = Callable[[str, int], None]
"""Told what is replayed, and how many events of it have been so far."""

_NO_BAND = 0.999999


class BacktestRow(msgspec.Struct, frozen=True, kw_only=True):
    """``alerts``: which alerts are judged; ``watch``: the risk from which they are raised."""

    alerts: str
    watch: float
    judgement: Judgement


class Shop(NamedTuple):
    """A history as one partition delivers it, in event time, and what is churn in it."""

    events: Sequence[PartitionEvent]
    outcomes: Outcomes
    any_event_returns: bool


def shop_of(events: Sequence[Event], any_event_returns: bool, currency: str | None) -> Shop:
    """``events``, sorted by time, as records stamped with their own times."""
    if not events:
        raise ConfigurationError("the files hold no event: give files of events")
    returns = (
        (event.user_id, event.timestamp) for event in events if is_return(event.type, any_event_returns)
    )
    return Shop(
        partition_events(events, currency), Outcomes(returns, events[-1].timestamp), any_event_returns
    )


class Backtest:
    """Replays ``shop`` under policies and judges the alerts of ``period``."""

    def __init__(self, shop: Shop, period: Period, progress: Progress) -> None:
        if period.to_ms <= period.from_ms:
            raise ConfigurationError(
                "no alert after --from can be judged: the files must go on for more than a horizon after it"
            )
        self._shop = shop
        self._period = period
        self._progress = progress
        self._users = len({event.user_id for event in shop.events if event.record_ms <= period.to_ms})

    def of_policy(self, name: str, model: RiskModel, policy: Policy) -> BacktestRow:
        """The alerts that a worker with ``policy`` raises on the whole history."""
        decisions, _ = self._replay(name, model, policy, None, self._shop.events)
        return self._row(name, policy.edges[0], decisions)

    def of_budget(self, name: str, model: RiskModel, policy: Policy, alerts_a_week: float) -> BacktestRow:
        """The alerts of ``policy`` with the bands moved to where about ``alerts_a_week`` are raised.

        Whoever is above the edge already when the bands come into force, a horizon and a cooldown before the
        period, has his alert then.
        """
        start_ms = self._period.from_ms - policy.horizon_ms - policy.cooldown_ms
        first = next(
            (index for index, event in enumerate(self._shop.events) if event.record_ms >= start_ms),
            len(self._shop.events),
        )
        before, after = self._shop.events[:first], self._shop.events[first:]
        _, snapshot = self._replay(f"{name}, before", model, with_watch_edge(policy, _NO_BAND), None, before)

        def trial(watch: float) -> tuple[int, list[Decision]]:
            label = f"{name}, alerts from a risk of {watch:.3f}"
            decisions, _ = self._replay(label, model, with_watch_edge(policy, watch), snapshot, after)
            return len(raised_in(decisions, self._period)), decisions

        watch, decisions = edge_for(alerts_a_week * self._period.weeks, trial)
        return self._row(name, watch, decisions)

    def _replay(
        self,
        what: str,
        model: RiskModel,
        policy: Policy,
        snapshot: Snapshot | None,
        events: Sequence[PartitionEvent],
    ) -> tuple[list[Decision], Snapshot]:
        driver = PartitionDriver(Rules(policy, self._shop.any_event_returns, 1), model, snapshot)
        for done in driver.replay(events):
            self._progress(what, done)
        return driver.decisions, driver.snapshot()

    def _row(self, name: str, watch: float, decisions: Sequence[Decision]) -> BacktestRow:
        judgement = judge(decisions, self._shop.outcomes, self._period, self._users)
        return BacktestRow(alerts=name, watch=watch, judgement=judgement)
