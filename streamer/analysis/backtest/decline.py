"""Alerts against what their customers spent and how often they came afterwards. Pure.

Of each customer's raises within the period only the first is judged: what it costs to be late, and whether
anything was lost at all, is decided by then. Moments, usual and actual are those of the raise itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.judgement import Period, raised_in
from streamer.analysis.backtest.level import ShopWeeks
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.core.alerts.decisions import Decision
from streamer.core.model.decline import DeclineTerms

Floats = npt.NDArray[np.float64]

DRAWS: Final = 1_000
_SEED: Final = 1


class FirstRaises(msgspec.Struct, frozen=True, kw_only=True):
    """What each customer's first raise within the period came to; ``None`` without a base, or a usual.

    ``a_week``: how many a week, of everybody. Over those with a usual at the raise, ``judged`` in all:
    ``decline``: the share with fewer than half of the usual visit days in the window after it;
    ``early_share``: the share raised before the usual gap since the last visit had passed; ``lead_days``: the
    median time from the raise until that gap and a window have passed, when the decline is history.

    Money an alert, over those of them whose amounts are known: ``shortfall``: usual less actual spend over
    the window, signed, capped and against the shop's level in the week of the raise, with the middle 95 %
    of draws of customers, ``shortfall_lo`` to ``shortfall_hi``; ``shortfall_raw``: neither capped nor
    against the level. ``caught_share``: the sum of the shortfalls, over that of all in the shop that are
    above 0, each active customer counted once. A list drawn by lot catches about nothing, since against the
    level ups and downs even out; one of everybody who will lose something, and of nobody else, about all.

    ``absent``: the share, of everybody, without an event of the churn kind within the horizon.
    """

    a_week: float | None = None
    judged: int | None = None
    decline: float | None = None
    shortfall: float | None = None
    shortfall_lo: float | None = None
    shortfall_hi: float | None = None
    shortfall_raw: float | None = None
    caught_share: float | None = None
    early_share: float | None = None
    absent: float | None = None
    lead_days: float | None = None


def first_raises(decisions: Iterable[Decision], period: Period) -> list[Decision]:
    """Of each customer's raises that were sent and are judged the first, in the order of the decisions."""
    first: dict[str, Decision] = {}
    for decision in raised_in(decisions, period):
        known = first.setdefault(decision.user_id, decision)
        if decision.decided_ms < known.decided_ms:
            first[decision.user_id] = decision
    return list(first.values())


class DeclineJudge(NamedTuple):
    """Judges lists of alerts by a shop's ``customers``, whose events go on for a window after ``period``."""

    terms: DeclineTerms
    customers: Customers
    weeks: ShopWeeks
    outcomes: Outcomes
    period: Period

    def judge(self, decisions: Iterable[Decision]) -> FirstRaises:
        """What the first raises among ``decisions`` came to."""
        raised = first_raises(decisions, self.period)
        if not raised:
            return FirstRaises(a_week=0.0, judged=0)
        moments = np.array([decision.decided_ms for decision in raised], np.int64)
        users = self.customers.numbers(decision.user_id for decision in raised)
        windows = self.customers.windows(users, moments)
        known = windows.usual.known
        windows, moments = windows.at(known), moments[known]
        usual = windows.usual
        due_ms = usual.overdue_from_ms(1.0)
        figures = FirstRaises(
            a_week=len(raised) / self.period.weeks,
            judged=len(moments),
            decline=_mean(windows.declined),
            early_share=_mean(moments < due_ms),
            absent=_mean([self._stays_away(decision) for decision in raised]),
            lead_days=_median((due_ms + self.terms.window_ms - moments) / DAY_MS),
        )
        paid = ~np.isnan(windows.spend)
        if self.terms.loss is None or not paid.any():
            return figures
        usual_spend, spend = windows.usual_spend[paid], windows.spend[paid]
        shortfall = self.weeks.shortfalls(moments[paid], usual_spend, spend)
        low, high = mean_interval(shortfall)
        return msgspec.structs.replace(
            figures,
            shortfall=_mean(shortfall),
            shortfall_lo=low,
            shortfall_hi=high,
            shortfall_raw=_mean(usual_spend - spend),
            caught_share=float(shortfall.sum()) / self.weeks.lost if self.weeks.lost > 0.0 else None,
        )

    def _stays_away(self, raised: Decision) -> bool:
        silence = self.outcomes.silence_at(raised.user_id, raised.decided_ms)
        return silence is None or silence.next_ms > raised.decided_ms + self.period.horizon_ms


def mean_interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of the means of :data:`DRAWS` draws of ``values``, one of each customer."""
    random = np.random.default_rng(_SEED)
    count = len(values)
    means = [float(values[random.integers(0, count, count)].mean()) for _ in range(DRAWS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _mean(values: Sequence[bool] | Floats | npt.NDArray[np.bool_]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _median(values: Floats) -> float | None:
    return float(np.median(values)) if len(values) else None
