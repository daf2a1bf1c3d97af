"""How much spending was being lost, how much of it was alarmed about and how early. Pure.

Judged as ``streamer backtest`` judges: each household's first alert, by what it spent and how often it came
in the window after, against the shop's level.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.decline import DeclineJudge, first_of
from streamer.analysis.backtest.judgement import WEEK_MS, Period
from streamer.demo.judgement.evaluation import RaisedAlert, Snapshot


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What the households' first alerts in [``since``, ``until``] came to; ``None`` without a base.

    ``alerts``: how many, one a household. ``shortfall``: money an alert, over the ``window_days`` after it:
    what is usual for the household less what it spent, signed, capped, and against the shop's level, with the
    middle 95 % of draws of households, ``shortfall_lo`` to ``shortfall_hi``. ``decline``: the share that came
    on fewer than half of the usual days. ``lost_in_all``: the same shortfalls of every household that was
    active at the begin of a week, each once, where they are above 0; ``caught_share``: what those of the
    alerts add up to, of that. ``early_share``: alerts before the usual gap since the last visit had passed;
    ``lead_days``: the median time from the alert until that gap and a window have passed.

    ``absence_shortfall``: money an alert of as many households, taken each week by the risk of absence alone.
    """

    alerts: int
    shortfall: float | None
    shortfall_lo: float | None
    shortfall_hi: float | None
    decline: float | None
    caught_share: float | None
    early_share: float | None
    absence_shortfall: float | None
    lead_days: float | None
    lost_in_all: float
    currency: str
    window_days: float
    since: str
    until: str


def week_begins(period: Period) -> list[int]:
    """When the weeks of the period begin, epoch milliseconds: none of a period that ends before it begins."""
    return list(range(period.from_ms, period.to_ms + 1, WEEK_MS))


def judge_lost(
    judge: DeclineJudge,
    alerts: Sequence[RaisedAlert],
    snapshots: Sequence[Snapshot],
    active_ms: int,
    currency: str,
) -> Lost:
    """Judge the first of all ``alerts`` raised; ``snapshots``: at the begin of each week of the period."""
    period = judge.period
    raised = first_of(alert for alert in alerts if period.covers(alert.decided_ms))
    found = judge.of_first(raised)
    beside = judge.of_first(by_absence(judge.customers, raised, snapshots, active_ms))
    return Lost(
        alerts=len(raised),
        shortfall=found.shortfall,
        shortfall_lo=found.shortfall_lo,
        shortfall_hi=found.shortfall_hi,
        decline=found.decline,
        caught_share=found.caught_share,
        early_share=found.early_share,
        absence_shortfall=beside.shortfall,
        lead_days=found.lead_days,
        lost_in_all=judge.weeks.lost,
        currency=currency,
        window_days=judge.terms.window_ms / DAY_MS,
        since=format_timestamp(period.from_ms),
        until=format_timestamp(period.to_ms),
    )


def by_absence(
    customers: Customers, raised: Sequence[RaisedAlert], snapshots: Sequence[Snapshot], active_ms: int
) -> list[RaisedAlert]:
    """As many alerts each week as there are in ``raised``, by the highest risk of absence at its begin.

    Of households that had acted within ``active_ms`` and of which something is usual, each once: of others it
    could not be told what was lost.
    """
    moments = np.array([alert.decided_ms for alert in raised], np.int64)
    chosen: dict[str, RaisedAlert] = {}
    for snapshot in snapshots:
        begin_ms = snapshot.at_ms
        wanted = int(((moments >= begin_ms) & (moments < begin_ms + WEEK_MS)).sum())
        users = customers.numbers(snapshot.user_ids)
        usual = customers.windows(users, np.full(len(users), begin_ms - 1)).usual
        asked = usual.known & np.isin(users, customers.active_at(begin_ms - 1, active_ms))
        for index in np.argsort(-snapshot.risk, kind="stable").tolist():
            if not wanted:
                break
            user_id = snapshot.user_ids[index]
            if asked[index] and user_id not in chosen:
                chosen[user_id] = RaisedAlert(user_id, begin_ms)
                wanted -= 1
    return list(chosen.values())
