"""Judging risks and alerts against what households did."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.units import DAY_MS
from streamer.demo.judgement.evaluation import RaisedAlert, Snapshot, confront, evaluate
from streamer.demo.judgement.households import Households
from tests.demo_messages import day


def households(purchases: dict[str, list[float]]) -> Households:
    known = Households()
    for user_id, days in purchases.items():
        for number in days:
            known.note(user_id, day(number))
    return known


def snapshot(rows: list[tuple[str, float, float]], at_ms: int) -> Snapshot:
    """Rows of user, risk, day of the last event."""
    return Snapshot(
        at_ms,
        [row[0] for row in rows],
        np.array([row[1] for row in rows]),
        np.array([day(row[2]) for row in rows]),
    )


def test_only_those_seen_in_the_active_days_are_judged() -> None:
    known = households({"seen": [40], "gone": [39.9], "back": [90, 110]})
    seen = snapshot([("seen", 0.9, 40), ("gone", 0.9, 39.9), ("back", 0.2, 90)], day(100))
    judged = evaluate(seen, known, horizon_days=28, active_days=60, edge=0.65)
    assert judged.n == 2
    assert judged.base_rate == 0.5
    assert (judged.precision, judged.recall, judged.f1) == (1.0, 1.0, 1.0)
    assert judged.auroc == 1.0


@pytest.mark.parametrize(("returns", "churned"), [(100.0, False), (127.99, False), (128.0, True)])
def test_the_horizon_is_half_open(returns: float, churned: bool) -> None:
    judged = evaluate(snapshot([("u", 0.4, 90)], day(100)), households({"u": [90, returns]}), 28, 60, 0.65)
    assert judged.base_rate == float(churned)
    assert judged.brier == pytest.approx(0.36 if churned else 0.16)


def test_counts_of_risks_in_the_bands_give_precision_and_recall() -> None:
    purchases: dict[str, list[float]] = {"hit": [90], "missed": [90], "false": [90, 101], "calm": [90, 101]}
    rows = [("hit", 0.8, 90.0), ("missed", 0.6, 90.0), ("false", 0.7, 90.0)]
    rows += [("calm", 0.1, 90.0)]
    judged = evaluate(snapshot(rows, day(100)), households(purchases), 28, 60, 0.65)
    assert (judged.precision, judged.recall, judged.f1) == (0.5, 0.5, 0.5)
    assert judged.auroc == 0.75


def test_nobody_at_risk_gives_zeros() -> None:
    judged = evaluate(snapshot([("u", 0.5, 1)], day(100)), households({"u": [1]}), 28, 60, 0.65)
    assert (judged.n, judged.auroc, judged.ece, judged.f1) == (0, 0.0, 0.0, 0.0)


def test_an_alert_is_right_when_no_purchase_follows_within_the_horizon() -> None:
    known = households({"gone": [0, 10], "late": [0, 49], "back": [0, 48], "end": [100]})
    alerts = [RaisedAlert("gone", day(20)), RaisedAlert("late", day(20)), RaisedAlert("back", day(20))]
    confronted = confront(alerts, known, since_ms=day(15), end_ms=day(100), horizon_days=28)
    assert (confronted.judged, confronted.right) == (3, 2)
    # Lead: 10 + 28 - 20 = 18 days, and 0 + 28 - 20 = 8 days.
    assert confronted.median_lead_days == 13.0


def test_alerts_within_a_horizon_of_the_end_stay_open() -> None:
    known = households({"u": [0]})
    end = day(100)
    last_judged = end - 28 * DAY_MS
    alerts = [RaisedAlert("u", day(14)), RaisedAlert("u", last_judged), RaisedAlert("u", last_judged + 1)]
    confronted = confront(alerts, known, since_ms=day(15), end_ms=end, horizon_days=28)
    assert (confronted.judged, confronted.right, confronted.too_late_to_judge) == (1, 1, 1)


def test_without_a_right_alert_there_is_no_lead() -> None:
    confronted = confront([], households({"u": [0]}), day(0), day(100), 28)
    assert (confronted.judged, confronted.median_lead_days) == (0, None)
