"""What is usual for a customer, from the plain history."""

from __future__ import annotations

import math

from schemas.units import DAY_MS
from streamer.core.model.decline import DeclineTerms
from tests.simulation.history import History, Sums, Usual

HALF_LIFE_MS = 90 * DAY_MS
LEAST_VISIT_DAYS = 4
LEAST_TENURE_DAYS = 28


def usual_of(history: History, sums: Sums, terms: DeclineTerms) -> Usual | None:
    """As of the last visit; ``None`` below four visit days.

    What came too late for a place in the history can only make it longer, and only where every event is a
    visit.
    """
    key = (terms, sums.first_ms)
    if key not in history.usual:
        history.usual[key] = _usual_of(history, sums.first_ms, terms)
    return history.usual[key]


def _usual_of(history: History, first_ms: int, terms: DeclineTerms) -> Usual | None:
    counts_all = terms.churn_types == "any"
    visits = [past.time_ms for past in history.placed if counts_all or past.kind == "purchase"]
    begun_of_day = {time_ms // DAY_MS: time_ms for time_ms in reversed(visits)}
    if len(begun_of_day) < LEAST_VISIT_DAYS:
        return None
    last_ms = visits[-1]
    tenure_days = (last_ms - (first_ms if counts_all else visits[0])) / DAY_MS + 1
    fading = math.log(2) * DAY_MS / HALF_LIFE_MS
    days = (1 - math.exp(-fading * max(tenure_days, LEAST_TENURE_DAYS))) / fading
    came = sum(_weight(time_ms, last_ms) for time_ms in begun_of_day.values())
    spent = sum(past.spent * _weight(past.time_ms, last_ms) for past in history.placed)
    shop = terms.shop
    came_a_day = (came + shop.visit_strength_days * shop.visit_days) / (days + shop.visit_strength_days)
    spent_a_day = (spent + shop.spend_strength_days * shop.spend) / (days + shop.spend_strength_days)
    return Usual(came_a_day, max(spent_a_day, 0.0), max(1 / came_a_day, 1.0), last_ms)


def _weight(time_ms: int, last_ms: int) -> float:
    """Of what happened at ``time_ms``, as of the last visit; a refund after that weighs more than 1."""
    return 0.5 ** ((last_ms - time_ms) / HALF_LIFE_MS)
