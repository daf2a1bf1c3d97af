"""Running aggregates of a user's whole history, each kept up in O(1) an event.

Arrays are ``float64`` of shape ``[users, len(AGGREGATES)]``. Decayed sums are as of the last event's time.
Days are those of the shop's :class:`~streamer.core.history.calendar.Calendar`; spans of time are of 24 hours
a day. Serving and training both call :func:`advance`, so they cannot differ. A history is folded token by
token in the ring's order, which makes ``fold(base, ring)`` equal to the running value bit by bit.
What the shop does changes nothing; only where nothing else is known does it begin the history.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.core.history.aggregates_row import AggregatesRow
from streamer.core.history.calendar import Calendar
from streamer.core.history.token import PURCHASE, REFUND, TokenArray, are_actions, as_array

Aggregates = npt.NDArray[np.float64]

HALF_LIVES_DAYS: Final = (4.0, 14.0, 45.0, 90.0)
GAP_SMOOTHING: Final = 0.3

AGGREGATES: Final = AggregatesRow._fields
COLUMN: Final = {name: index for index, name in enumerate(AGGREGATES)}
AGGREGATES_BYTES: Final = 8 * len(AGGREGATES)

_C = COLUMN
_DECAYED: Final = (
    (("visits_4d", "purchases_4d", "events_4d"), HALF_LIVES_DAYS[0]),
    (("visits_14d", "purchases_14d", "value_14d", "events_14d"), HALF_LIVES_DAYS[1]),
    (("visits_45d", "purchases_45d", "value_45d"), HALF_LIVES_DAYS[2]),
    (("visits_90d", "purchases_90d", "value_90d"), HALF_LIVES_DAYS[3]),
)


def empty(users: int) -> Aggregates:
    """Aggregates of ``users`` users without any event, shape ``[users, columns]``."""
    rows = np.zeros((users, len(AGGREGATES)))
    rows[:, [_C["first_purchase_time"], _C["last_purchase_time"]]] = np.nan
    return rows


def decay(rows: Aggregates, elapsed_days: npt.NDArray[np.float64]) -> None:
    """Let ``elapsed_days`` (shape ``[users]``) pass over the decayed columns, in place."""
    for names, half_life in _DECAYED:
        factor = np.exp2(elapsed_days / -half_life)
        for name in names:
            rows[:, _C[name]] *= factor


def advance(before: Aggregates, tokens: TokenArray, calendar: Calendar) -> Aggregates:
    """Aggregates after one more token a user; ``tokens`` has shape ``[users]``, none older than the last."""
    rows = before.copy(order="F")  # The work goes column by column.
    time = tokens["time"].astype(np.float64)
    bought = tokens["type"] == PURCHASE
    refunded = tokens["type"] == REFUND
    value = _known(tokens["value"].astype(np.float64))
    spent = np.where(bought, value, 0.0) - np.where(refunded, np.abs(value), 0.0)

    new = (before[:, _C["events"]] == 0) & (before[:, _C["last_time"]] == 0)
    first_visit = before[:, _C["visit_days"]] == 0
    last = np.where(new, time, before[:, _C["last_time"]])
    elapsed = (time - last) / DAY_MS
    today = calendar.days(time)
    new_day = first_visit | (calendar.days(last) != today)
    last_bought = before[:, _C["last_purchase_time"]]
    bought_new_day = bought & ~(calendar.days(last_bought) == today)

    decay(rows, elapsed)
    rows[:, _C["first_time"]] = np.where(new, time, before[:, _C["first_time"]])
    rows[:, _C["last_time"]] = time
    first_bought = before[:, _C["first_purchase_time"]]
    rows[:, _C["first_purchase_time"]] = np.where(bought & np.isnan(first_bought), time, first_bought)
    rows[:, _C["last_purchase_time"]] = np.where(bought, time, last_bought)
    rows[:, _C["last_value"]] = np.where(bought, value, before[:, _C["last_value"]])
    rows[:, _C["visit_days"]] += new_day
    for name in ("visits_4d", "visits_14d", "visits_45d", "visits_90d"):
        rows[:, _C[name]] += new_day
    rows[:, _C["purchase_days"]] += bought_new_day
    for name in ("purchases_4d", "purchases_14d", "purchases_45d", "purchases_90d"):
        rows[:, _C[name]] += bought_new_day
    for name in ("value_14d", "value_45d", "value_90d"):
        rows[:, _C[name]] += spent
    for name in ("events_4d", "events_14d"):
        rows[:, _C[name]] += 1.0
    acts = are_actions(tokens)
    _count(rows, tokens, spent, acts)
    _close_gaps(rows, elapsed, new_day & ~first_visit)
    if not acts.all():
        rows[~acts] = before[~acts]
        begun = new & ~acts
        rows[begun, _C["first_time"]] = rows[begun, _C["last_time"]] = time[begun]
    return rows


def count_late(before: Aggregates, tokens: TokenArray) -> Aggregates:
    """Aggregates after a token older than everything kept: only the sums that no order changes."""
    rows = before.copy()
    bought = tokens["type"] == PURCHASE
    refunded = tokens["type"] == REFUND
    value = _known(tokens["value"].astype(np.float64))
    spent = np.where(bought, value, 0.0) - np.where(refunded, np.abs(value), 0.0)
    _count(rows, tokens, spent, are_actions(tokens))
    time = tokens["time"].astype(np.float64)
    rows[:, _C["first_time"]] = np.minimum(rows[:, _C["first_time"]], time)
    return rows


def with_usual(packed: bytes) -> bytes:
    """Packed aggregates that lack the sums with the longest half-life, with an estimate of these behind them.

    Each is what its sum with the next shorter half-life would be, had the rate been the same all the time.
    """
    if not packed:
        return packed
    row = np.concatenate([np.frombuffer(packed), np.zeros(len(_DECAYED[-1][0]))])
    tenure = max((row[_C["last_time"]] - row[_C["first_time"]]) / DAY_MS + 1.0, 1.0)
    (shorter, half_life), (longer, longest) = _DECAYED[-2:]
    counted, wanted = (days * (1.0 - 2.0 ** (-tenure / days)) for days in (half_life, longest))
    for before, name in zip(shorter, longer, strict=True):
        row[_C[name]] = row[_C[before]] * wanted / counted
    return row.tobytes()


def fold(base: Aggregates, rings: list[TokenArray], calendar: Calendar) -> Aggregates:
    """Aggregates after each user's ring has been applied to the base, oldest token first.

    ``base`` ``[users, columns]`` and ``rings`` are of the same users, at least one.
    """
    rows = base.copy()
    counts = np.array([len(ring) for ring in rings])
    firsts = np.cumsum(counts) - counts
    # As bytes: to concatenate, numpy would compare the fields of each ring's type with the next one's.
    tokens = as_array(b"".join(ring.tobytes() for ring in rings))
    for step in range(counts.max()):
        users = np.flatnonzero(counts > step)
        rows[users] = advance(rows[users], tokens[firsts[users] + step], calendar)
    return rows


def _count(
    rows: Aggregates, tokens: TokenArray, spent: npt.NDArray[np.float64], acts: npt.NDArray[np.bool_]
) -> None:
    bought = tokens["type"] == PURCHASE
    rows[:, _C["events"]] += acts
    rows[:, _C["purchases"]] += bought
    rows[:, _C["refunds"]] += tokens["type"] == REFUND
    rows[:, _C["lines"]] += np.where(bought, tokens["lines"], 0)
    rows[:, _C["value"]] += spent


def _known(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``amounts`` with nothing where one is unknown; at a fraction of the time of ``np.nan_to_num``."""
    return np.where(np.isnan(amounts), 0.0, amounts)


def _close_gaps(rows: Aggregates, gap: npt.NDArray[np.float64], closed: npt.NDArray[np.bool_]) -> None:
    """Count the gap (days) that ended with the newest token, where it began a new visit day."""
    gap = np.where(closed, gap, 0.0)
    rows[:, _C["gap_total"]] += gap
    rows[:, _C["gap_squares"]] += gap * gap
    rows[:, _C["gap_logs"]] += np.log1p(gap)
    rows[:, _C["gap_longest"]] = np.maximum(rows[:, _C["gap_longest"]], gap)
    rows[:, _C["gap_last"]] = np.where(closed, gap, rows[:, _C["gap_last"]])
    smoothed = rows[:, _C["gap_smoothed"]]
    first = rows[:, _C["visit_days"]] == 2
    moved = np.where(first, gap, smoothed + GAP_SMOOTHING * (gap - smoothed))
    rows[:, _C["gap_smoothed"]] = np.where(closed, moved, smoothed)
