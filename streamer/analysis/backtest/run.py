"""A backtest put together: the policy as it stands, and models compared at one number of alerts a week."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.errors import ConfigurationError
from schemas.event import Event, is_return
from streamer.analysis.backtest.budget import (
    edge_for,
    edge_near,
    policy_for,
    with_watch_edge,
    without_bands,
)
from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.decline import DeclineJudge, FirstRaises, first_raises
from streamer.analysis.backtest.judgement import WEEK_MS, Judgement, Period, judge, raised_in
from streamer.analysis.backtest.level import ShopWeeks
from streamer.analysis.backtest.lists import BUNDLE, AlertList, lists_of
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Rules
from streamer.core.model.risk_model import RiskModel
from streamer.testing import PartitionDriver, Snapshot, partition_events

Progress = Callable[[str, int], None]
"""Told what is replayed, and how many events of it have been so far."""


class BacktestRow(FirstRaises, frozen=True, kw_only=True):
    """``alerts``: which alerts are judged; ``watch``: the signal, a risk or an amount, from which they are
    raised.

    ``judgement``: of all of them, by absence. The rest is that of customers' first ones, ``None`` where the
    bundle does not foretell decline.
    """

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
    """Replays ``shop`` under policies and judges the alerts of ``period``.

    ``decline``: what judges first raises by a decline, ``None`` for a bundle that does not foretell it.
    """

    def __init__(
        self, shop: Shop, period: Period, progress: Progress, decline: DeclineJudge | None = None
    ) -> None:
        if period.to_ms <= period.from_ms:
            raise ConfigurationError(
                "no alert after --from can be judged: the files must go on for more than a horizon after it"
            )
        self._shop = shop
        self._period = period
        self._progress = progress
        self._decline = decline
        self._users = len({event.user_id for event in shop.events if event.record_ms <= period.to_ms})

    def of_policy(self, name: str, model: RiskModel, policy: Policy) -> BacktestRow:
        """The alerts that a worker with ``policy`` raises on the whole history."""
        decisions, _ = self._replay(name, model, policy, None, self._until_judged(policy))
        return self._row(name, policy.edges[0], decisions)

    def compared(
        self, model: RiskModel, policy: Policy, baselines: Mapping[str, RiskModel], alerts_a_week: float
    ) -> list[BacktestRow]:
        """The bundle's ``model`` and the ``baselines``, each at about ``alerts_a_week``."""
        if self._decline is None:
            return [
                self.of_budget(name, each, policy_for(name, policy), alerts_a_week)
                for name, each in {BUNDLE: model, **baselines}.items()
            ]
        lists = lists_of(model, policy, self._period.horizon_ms, baselines)
        return [self.of_list(name, each, alerts_a_week) for name, each in lists.items()]

    def of_budget(self, name: str, model: RiskModel, policy: Policy, alerts_a_week: float) -> BacktestRow:
        """The alerts of ``policy`` with the bands moved to where about ``alerts_a_week`` are raised.

        Whoever is above the edge already when the bands come into force, a horizon and a cooldown before the
        period, has his alert then.
        """
        replay = self._from(
            name, model, policy, self._period.from_ms - policy.horizon_ms - policy.cooldown_ms
        )

        def trial(watch: float) -> tuple[int, list[Decision]]:
            decisions = replay(watch)
            return len(raised_in(decisions, self._period)), decisions

        watch, decisions = edge_for(alerts_a_week * self._period.weeks, trial)
        return self._row(name, watch, decisions)

    def of_list(self, name: str, alerts: AlertList, alerts_a_week: float) -> BacktestRow:
        """As :meth:`of_budget`, counting each customer's first raise alone, for a judgement by decline.

        The bands come into force with the period, for each list alike: whoever is above the edge by then has
        his alert then.
        """
        assert self._decline is not None
        replay = self._from(name, alerts.model, alerts.policy, self._period.from_ms)

        def trial(watch: float) -> tuple[int, list[Decision]]:
            decisions = replay(watch)
            return len(first_raises(decisions, self._period)), decisions

        watch, decisions = edge_near(alerts.guess, alerts.policy, alerts_a_week * self._period.weeks, trial)
        return self._row(name, watch, decisions)

    def _from(
        self, name: str, model: RiskModel, policy: Policy, start_ms: int
    ) -> Callable[[float], list[Decision]]:
        """Decisions of bands from an edge on, in force from ``start_ms`` on.

        What lies before that is replayed once, without bands.
        """
        events = self._until_judged(policy)
        first = next((i for i, event in enumerate(events) if event.record_ms >= start_ms), len(events))
        before, after = events[:first], events[first:]
        _, snapshot = self._replay(f"{name}, before", model, without_bands(policy), None, before)

        def replay(watch: float) -> list[Decision]:
            signal = f"a risk of {watch:.3f}" if policy.alert_by == "probability" else f"{watch:.2f}"
            label = f"{name}, alerts from {signal}"
            return self._replay(label, model, with_watch_edge(policy, watch), snapshot, after)[0]

        return replay

    def _until_judged(self, policy: Policy) -> Sequence[PartitionEvent]:
        """All events up to where the clock has passed a week after the period: what follows is not judged."""
        end_ms = self._period.to_ms + WEEK_MS + policy.disorder_ms
        events = self._shop.events
        last = next((i for i, event in enumerate(events) if event.record_ms > end_ms), len(events))
        return events[: last + 1]

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
        first = FirstRaises() if self._decline is None else self._decline.judge(decisions)
        return BacktestRow(
            alerts=name,
            watch=watch,
            judgement=judge(decisions, self._shop.outcomes, self._period, self._users),
            **msgspec.structs.asdict(first),
        )


def decline_judge(shop: Shop, period: Period, model: RiskModel, active_ms: int) -> DeclineJudge | None:
    """What judges alerts by decline as ``model`` defines it; ``None`` where it does not.

    ``active_ms``: the shop's level is that of customers with an event so long before.
    """
    terms = model.decline
    if terms is None:
        return None
    customers = Customers(shop.events, terms, model.calendar)
    return DeclineJudge(terms, customers, ShopWeeks.of(customers, period, active_ms), shop.outcomes, period)
