"""What is usual for a customer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.history.aggregates import Aggregates, empty, fold
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array, tokenise
from streamer.core.history.usual import LEAST_VISIT_DAYS, ShopMean, Usual, usual_of

START_MS = 1_483_228_800_000
ALONE = ShopMean(visit_days=0.0, visit_strength_days=0.0, spend=0.0, spend_strength_days=0.0)


def row_of(purchases: Sequence[float], clicks: Sequence[float] = (), amount: float = 10.0) -> Aggregates:
    """Aggregates ``[1, columns]`` after purchases and clicks on so many days after the start."""
    kinds: list[tuple[float, str]] = [(day, "purchase") for day in purchases]
    kinds += [(day, "view") for day in clicks]
    tokens = b"".join(
        tokenise(Event(str(day), "u", kind, round(START_MS + day * DAY_MS), value=amount), None)
        for day, kind in sorted(kinds)
    )
    return fold(empty(1), [as_array(tokens)], UTC)


def usual(rows: Aggregates, shop: ShopMean = ALONE, churn_types: ChurnTypes = "purchase") -> Usual:
    return usual_of(rows[0], shop, churn_types)


def test_who_comes_every_five_days_usually_does() -> None:
    found = usual(row_of(range(0, 200, 5)))
    assert found.gap_days == pytest.approx(5.0, rel=0.05)
    assert found.spend == pytest.approx(2.0, rel=0.05)
    assert found.overdue(START_MS + 205 * DAY_MS) == pytest.approx(2.0, rel=0.05)


def test_neither_silence_nor_clicks_eat_the_usual() -> None:
    days = range(0, 100, 5)
    quiet, clicking = usual(row_of(days)), usual(row_of(days, clicks=range(100, 190)))
    assert clicking.gap_days == pytest.approx(quiet.gap_days)
    assert clicking.spend == pytest.approx(quiet.spend)
    assert clicking.last_visit_ms == quiet.last_visit_ms


def test_a_habit_that_changes_is_followed() -> None:
    before, after = range(0, 180, 4), range(180, 540, 12)
    assert usual(row_of([*before, *after])).gap_days == pytest.approx(12.0, rel=0.15)


def test_a_good_first_month_is_no_habit() -> None:
    month = row_of(range(0, 28, 4))
    shop = ShopMean(visit_days=0.05, visit_strength_days=60.0, spend=0.5, spend_strength_days=60.0)
    assert usual(month).gap_days == pytest.approx(4.0, rel=0.05)
    assert usual(month, shop).gap_days > 8.0
    assert 0.5 < usual(month, shop).spend < 1.5
    long = row_of(range(0, 364, 4))
    assert usual(long, shop).gap_days < 7.0


@pytest.mark.parametrize(("churn_types", "known"), [("purchase", False), ("any", True)])
def test_a_visit_is_a_day_of_the_churn_kind(churn_types: ChurnTypes, known: bool) -> None:
    found = usual(row_of([0.0, 8.0], clicks=[2.0, 4.0, 6.0]), churn_types=churn_types)
    assert np.isnan(found.gap_days) != known
    assert np.isnan(found.spend) != known


def test_nothing_is_usual_below_four_visit_days_and_no_gap_is_below_a_day() -> None:
    few = [float(day) for day in range(LEAST_VISIT_DAYS - 1)]
    assert np.isnan(usual(row_of(few)).visit_days)
    assert np.isnan(usual(row_of(few)).overdue(START_MS))
    assert usual(row_of(range(60))).gap_days == 1.0


def test_returns_above_purchases_leave_no_spend() -> None:
    tokens = [Event(str(day), "u", "purchase", START_MS + day * DAY_MS, value=5.0) for day in range(5)]
    tokens.append(Event("back", "u", "refund", START_MS + 6 * DAY_MS, value=100.0))
    rows = fold(empty(1), [as_array(b"".join(tokenise(event, None) for event in tokens))], UTC)
    assert usual(rows).spend == 0.0


def test_a_row_alone_and_among_others_is_the_same() -> None:
    rows = np.concatenate([row_of(range(0, 100, gap)) for gap in range(1, 40)])
    shop = ShopMean(0.1, 8.0, 1.0, 4.0)
    together = usual_of(rows, shop, "purchase")
    for at, row in enumerate(rows):
        alone = usual_of(row, shop, "purchase")
        assert [float(figure) for figure in alone] == pytest.approx(
            [float(figures[at]) for figures in together], rel=1e-15, nan_ok=True
        )
