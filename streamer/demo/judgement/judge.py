"""Everything that is judged: what is looked at during the replay, and what it came to in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.bundle.manifest import Manifest
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.decline import DeclineJudge
from streamer.analysis.backtest.judgement import Period
from streamer.analysis.backtest.level import ShopWeeks
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.model.decline import DeclineTerms, decline_terms
from streamer.demo.judgement.evaluation import (
    Confrontation,
    Evaluation,
    RaisedAlert,
    Snapshot,
    confront,
    evaluate,
)
from streamer.demo.judgement.households import Households
from streamer.demo.judgement.lost import Lost, judge_lost, week_begins
from streamer.settings.time_zone import calendar_of

EVALUATED_AT: Final = "2017-12-03T00:00:00Z"
JUDGED_FROM: Final = "2017-10-01T00:00:00Z"
"""From where on alerts are judged: the bundle has seen nothing of what follows."""

LIKELY: Final = 0.5
"""A risk of absence that says churn, where the bands are not those of absence."""


class Verdict(NamedTuple):
    """``lost``: ``None`` where the bundle foretells absence alone."""

    evaluation: Evaluation
    confrontation: Confrontation
    lost: Lost | None


class Judge:
    """Knows what the households did, and is shown the published risks at certain moments.

    ``events``: all of the replay; only a bundle that foretells decline needs them.
    """

    def __init__(
        self, manifest: Manifest, households: Households, events: Sequence[PartitionEvent], currency: str
    ) -> None:
        self.evaluated_ms = parse_timestamp(EVALUATED_AT)
        self._manifest, self._households = manifest, households
        self._events, self._currency = events, currency
        self._end_ms = households.last_ms or self.evaluated_ms
        self._active_ms = round(manifest.churn_definition.active_days * DAY_MS)
        self._terms = decline_terms(manifest)
        self._weeks = week_begins(self._period(self._terms)) if self._terms else []
        self._snapshots: dict[int, Snapshot] = {}

    @property
    def moments_ms(self) -> list[int]:
        """When to look at everybody, ascending, epoch milliseconds."""
        return sorted({self.evaluated_ms, *self._weeks})

    def look(self, snapshot: Snapshot) -> None:
        """Take in how everybody stood at one of the moments."""
        self._snapshots[snapshot.at_ms] = snapshot

    def verdict(self, alerts: Sequence[RaisedAlert]) -> Verdict:
        """Judge the scores, and ``alerts``: all that were raised. All moments have been looked at."""
        manifest, households = self._manifest, self._households
        horizon_days, active_days = manifest.horizon_days, manifest.churn_definition.active_days
        edge = manifest.band_edges.watch if self._terms is None else LIKELY
        return Verdict(
            evaluate(self._snapshots[self.evaluated_ms], households, horizon_days, active_days, edge),
            confront(alerts, households, parse_timestamp(JUDGED_FROM), self._end_ms, horizon_days),
            None if self._terms is None else self._lost(self._terms, alerts),
        )

    def _lost(self, terms: DeclineTerms, alerts: Sequence[RaisedAlert]) -> Lost:
        period = self._period(terms)
        customers = Customers(self._events, terms, calendar_of(self._manifest.time_zone))
        returns = ((event.user_id, event.record_ms) for event in self._events)
        judge = DeclineJudge(
            terms,
            customers,
            ShopWeeks.of(customers, period, self._active_ms),
            Outcomes(returns, self._end_ms),
            period,
        )
        snapshots = [self._snapshots[week_ms] for week_ms in self._weeks]
        return judge_lost(judge, alerts, snapshots, self._active_ms, self._currency)

    def _period(self, terms: DeclineTerms) -> Period:
        """Of first alerts whose whole window lies in the data."""
        horizon_ms = round(self._manifest.horizon_days * DAY_MS)
        return Period(parse_timestamp(JUDGED_FROM), self._end_ms - terms.window_ms, horizon_ms)
