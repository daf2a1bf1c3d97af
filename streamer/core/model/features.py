"""What the query head sees beside the transformer's hidden vector: aggregates decayed to a moment.

Output is ``float32`` of shape ``[queries, len(FEATURES)]``. Values are raw or ``log1p``-scaled; the
bundle's query graph standardises them with constants of its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.core.history.aggregates import COLUMN, Aggregates, decay
from streamer.core.history.usual import habit_of

FEATURES: Final = (
    "silence",  # log1p days since the customer's last action
    "since_purchase",  # log1p days since the last purchase, tenure before the first
    "tenure",
    "events",
    "purchases",
    "visit_days",
    "purchase_days",
    "visit_rate",  # visit days a day of tenure
    "lines_per_purchase",
    "value_per_purchase",
    "last_value",
    "value",
    "gap_mean",
    "gap_deviation",
    "gap_log_mean",
    "gap_longest",
    "gap_last",
    "gap_smoothed",
    "silence_to_gap_mean",  # log ratio
    "silence_to_gap_smoothed",
    "silence_to_gap_longest",
    "purchase_gap_mean",
    "since_purchase_to_gap",
    "visits_4d",
    "visits_14d",
    "visits_45d",
    "purchases_4d",
    "purchases_14d",
    "purchases_45d",
    "value_14d",
    "value_45d",
    "events_4d",
    "events_14d",
    "visits_trend",  # log ratio of the decayed visit rates, short over long
    "refunds",
    "never_bought",
    "usual_visits",  # visit days a month, as of the last one
    "usual_purchases",  # purchase days a month, as of the last one
    "usual_spend",
    "silence_to_usual",  # usual gaps between visit days since the last one
    "since_purchase_to_usual",
)

_C = COLUMN
_MONTH_DAYS: Final = 30.0


def features_at(aggregates: Aggregates, now_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Features of each row of ``aggregates`` (at least one event each) at ``now_ms``, shape ``[queries]``.

    ``now_ms`` is epoch milliseconds, not before the row's last event.
    """
    visits, purchased = habit_of(aggregates, "any"), habit_of(aggregates, "purchase")
    rows = aggregates.copy(order="F")  # The work goes column by column.

    def column(name: str) -> npt.NDArray[np.float64]:
        return rows[:, _C[name]]

    silence = (now_ms - column("last_time")) / DAY_MS
    tenure = (now_ms - column("first_time")) / DAY_MS
    decay(rows, silence)
    never = np.isnan(column("last_purchase_time"))
    since_purchase = np.where(never, tenure, (now_ms - column("last_purchase_time")) / DAY_MS)
    purchases = np.maximum(column("purchases"), 1.0)
    gaps = column("visit_days") - 1.0
    some_gaps = np.maximum(gaps, 1.0)
    gap_mean = np.where(gaps > 0, column("gap_total") / some_gaps, tenure)
    gap_square = column("gap_squares") / some_gaps
    gap_deviation = np.sqrt(np.maximum(gap_square - (column("gap_total") / some_gaps) ** 2, 0.0))
    bought_for = (column("last_purchase_time") - column("first_purchase_time")) / DAY_MS
    # Who never bought may have days with purchases here: drivers join parts of two customers.
    bought_for = np.where(np.isnan(bought_for), 0.0, bought_for)
    more_days = column("purchase_days") - 1.0
    purchase_gap = np.where(more_days > 0, bought_for / np.maximum(more_days, 1.0), tenure)
    visit_rate = column("visit_days") / (tenure + 1.0)
    purchase_rate = np.where(never, 0.0, purchased.visits / purchased.counted_days)

    values = {
        "silence": np.log1p(silence),
        "since_purchase": np.log1p(np.maximum(since_purchase, 0.0)),
        "tenure": np.log1p(tenure),
        "events": np.log1p(column("events")),
        "purchases": np.log1p(column("purchases")),
        "visit_days": np.log1p(column("visit_days")),
        "purchase_days": np.log1p(column("purchase_days")),
        "visit_rate": visit_rate,
        "lines_per_purchase": np.log1p(column("lines") / purchases),
        "value_per_purchase": _signed_log(column("value") / purchases),
        "last_value": _signed_log(column("last_value")),
        "value": _signed_log(column("value")),
        "gap_mean": np.log1p(gap_mean),
        "gap_deviation": np.log1p(gap_deviation),
        "gap_log_mean": column("gap_logs") / some_gaps,
        "gap_longest": np.log1p(column("gap_longest")),
        "gap_last": np.log1p(column("gap_last")),
        "gap_smoothed": np.log1p(column("gap_smoothed")),
        "silence_to_gap_mean": np.log1p(silence) - np.log1p(gap_mean),
        "silence_to_gap_smoothed": np.log1p(silence) - np.log1p(column("gap_smoothed")),
        "silence_to_gap_longest": np.log1p(silence) - np.log1p(column("gap_longest")),
        "purchase_gap_mean": np.log1p(purchase_gap),
        "since_purchase_to_gap": np.log1p(np.maximum(since_purchase, 0.0)) - np.log1p(purchase_gap),
        **{
            name: np.log1p(column(name))
            for name in (
                "visits_4d",
                "visits_14d",
                "visits_45d",
                "purchases_4d",
                "purchases_14d",
                "purchases_45d",
                "events_4d",
                "events_14d",
            )
        },
        "value_14d": _signed_log(column("value_14d")),
        "value_45d": _signed_log(column("value_45d")),
        "visits_trend": np.log1p(column("visits_4d") / 4.0) - np.log1p(column("visits_45d") / 45.0),
        "refunds": np.log1p(column("refunds")),
        "never_bought": never.astype(np.float64),
        "usual_visits": np.log1p(_MONTH_DAYS * visits.visits / visits.counted_days),
        "usual_purchases": np.log1p(_MONTH_DAYS * purchase_rate),
        "usual_spend": _signed_log(
            _MONTH_DAYS * np.where(never, 0.0, purchased.spend / purchased.counted_days)
        ),
        "silence_to_usual": np.log1p(silence * visits.visits / visits.counted_days),
        "since_purchase_to_usual": np.log1p(np.maximum(since_purchase, 0.0) * purchase_rate),
    }
    features = np.empty((len(rows), len(FEATURES)), np.float32)
    for place, name in enumerate(FEATURES):
        features[:, place] = values[name]
    return features


def _signed_log(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``log1p`` of the magnitude with the sign kept: refunds may outweigh purchases."""
    return np.sign(values) * np.log1p(np.abs(values))
