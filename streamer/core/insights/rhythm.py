"""How a user usually is, in plain figures from the running aggregates; ``None`` where little is known."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from schemas.units import DAY_MS
from streamer.core.history.aggregates_row import AggregatesRow

LEAST_DAYS: Final = 3
"""Distinct days with a purchase, or a visit, from which the mean gap between them is told."""

LEAST_TENURE_DAYS: Final = 28.0
"""History from which monthly rates are told."""

_MONTH_DAYS: Final = 30.0
_HALF_LIFE_DAYS: Final = 14.0


class Figure(NamedTuple):
    """A quantity of the user and what it usually is."""

    value: float | None = None
    usual: float | None = None


class Rhythm:
    """One user's figures at ``now_ms`` (epoch ms, not before the newest event).

    ``aggregates``: the user's packed float64 columns (:mod:`streamer.core.history.aggregates`). ``usual``:
    visit days and spend a day, NaN for unknown, where they are what a message calls usual; else it is the
    whole history's.
    """

    def __init__(self, aggregates: bytes, now_ms: float, usual: tuple[float, float] | None = None) -> None:
        self._row = AggregatesRow.unpacked(aggregates)
        self._now_ms = now_ms
        self._usual = usual

    @property
    def purchase_silence(self) -> Figure:
        """Days since the last purchase, and the mean gap between days with purchases."""
        last_ms = self._row.last_purchase_time
        if math.isnan(last_ms):
            return Figure()
        usual = usual_purchase_gap_days(self._row) if self._usual is None else self._usual_gap_days
        return Figure((self._now_ms - last_ms) / DAY_MS, usual)

    @property
    def event_silence(self) -> Figure:
        """Days since the last event, and the mean gap between days with events."""
        days = self._row.visit_days
        usual = self._row.gap_total / (days - 1.0) if days >= LEAST_DAYS else None
        if self._usual is not None:
            usual = self._usual_gap_days
        return Figure((self._now_ms - self._row.last_time) / DAY_MS, usual)

    @property
    def visits(self) -> Figure:
        """Days with events a month (30 days): lately, and usually."""
        return self._monthly(self._row.visits_14d, self._row.visit_days, 0)

    @property
    def spending(self) -> Figure:
        """Money a month, less refunds: lately, and usually."""
        return self._monthly(self._row.value_14d, self._row.value, 1)

    @property
    def tenure(self) -> Figure:
        """Days since the first event; nothing is usual about it."""
        return Figure((self._now_ms - self._row.first_time) / DAY_MS)

    @property
    def _usual_gap_days(self) -> float | None:
        assert self._usual is not None
        visit_days, _ = self._usual
        return None if math.isnan(visit_days) else max(1.0, 1.0 / visit_days)

    def _monthly(self, decayed: float, total: float, usual: int) -> Figure:
        """Lately: with a half-life of 14 days, over the time that such a sum still counts."""
        tenure = (self._now_ms - self._row.first_time) / DAY_MS
        if tenure < LEAST_TENURE_DAYS:
            return Figure()
        silence = (self._now_ms - self._row.last_time) / DAY_MS
        lately = decayed * 2.0 ** (-silence / _HALF_LIFE_DAYS)
        counted = _HALF_LIFE_DAYS / math.log(2) * (1.0 - 2.0 ** (-tenure / _HALF_LIFE_DAYS))
        a_day = total / tenure if self._usual is None else self._usual[usual]
        return Figure(_MONTH_DAYS * lately / counted, None if math.isnan(a_day) else _MONTH_DAYS * a_day)


def usual_purchase_gap_days(row: AggregatesRow) -> float | None:
    """Mean gap between days with purchases."""
    days = row.purchase_days
    if days < LEAST_DAYS:
        return None
    between_ms = row.last_purchase_time - row.first_purchase_time
    return between_ms / DAY_MS / (days - 1.0)


def expected_next_purchase_ms(aggregates: bytes) -> int | None:
    """When the next purchase is due, going by the usual gap (epoch ms); in the past where it is overdue."""
    row = AggregatesRow.unpacked(aggregates)
    gap_days = usual_purchase_gap_days(row)
    return None if gap_days is None else round(row.last_purchase_time + gap_days * DAY_MS)
