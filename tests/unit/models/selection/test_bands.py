"""Default bands: laid so that a wanted number of alerts a week reaches each of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.data.histories import Histories, collect
from models.recipe import Task
from models.selection.alert_rate import Peaks, risk_peaks
from models.selection.bands import bands_of
from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.model.features import FEATURES

START = 1_483_228_800_000
GRID = np.array([1, 2, 4, 8, 16]) * DAY_MS
SILENCE = FEATURES.index("silence")


def event(user: str, day: float, kind: str = "purchase") -> Event:
    return Event(f"{user}-{day}-{kind}", user, kind, START + round(day * DAY_MS), value=10.0)


def by_silence(
    histories: Histories, events: npt.NDArray[np.int64], features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """A risk that tells the silence: .01 a day."""
    assert len(events) == len(features) <= 100 * len(histories.tokens)
    return 0.01 * np.expm1(features[:, SILENCE].astype(np.float64))


def peaks(*events: Event, types: ChurnTypes = "purchase") -> Peaks:
    """Of the fortnight from day 40 on, with a horizon of ten days."""
    task = Task(START + 54 * DAY_MS, 10 * DAY_MS, churn_types=types)
    return risk_peaks(by_silence, collect(events), task, START + 40 * DAY_MS, GRID)


def test_a_silence_counts_once_with_its_highest_risk() -> None:
    found = peaks(event("a", 10), event("a", 32), event("a", 41), event("a", 50))
    assert found.reached.tolist() == pytest.approx([0.08, 0.08, 0.02])
    assert found.before.tolist() == pytest.approx([0.04, 0.0, 0.0])
    assert found.alerts_a_week(np.array([0.01, 0.03, 0.05, 0.09])).tolist() == [1.0, 0.5, 1.0, 0.0]


def test_only_what_the_policy_may_raise_counts() -> None:
    """Not a first visit, not a purchase itself, not who has been silent for the horizon."""
    assert not len(peaks(event("a", 41)).reached)
    clicks = peaks(event("a", 41), event("a", 43.5, "view"), event("a", 44, "view"))
    # The views belong to the silence that the purchase began, and are asked about at once.
    assert clicks.reached.tolist() == pytest.approx([0.08])
    assert peaks(event("a", 20), event("a", 41)).reached.max() == pytest.approx(0.08)
    assert peaks(event("a", 20), event("a", 41), types="any").reached.tolist() == pytest.approx([0.08])


@pytest.mark.parametrize("types", ["purchase", "any"])
def test_what_the_shop_does_ends_no_silence(types: ChurnTypes) -> None:
    visits = (event("a", 10), event("a", 32), event("a", 41))
    coupons = (event("a", 35, "coupon_received"), event("a", 43, "coupon_received"))
    plain, sent = peaks(*visits, types=types), peaks(*visits, *coupons, types=types)
    assert sent.reached.tolist() == plain.reached.tolist()
    assert sent.before.tolist() == plain.before.tolist()


def test_a_part_of_many_users_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(f"u{user}", day + user % 7) for user in range(400) for day in (30, 35, 41)]
    every = peaks(*events)
    monkeypatch.setattr("models.selection.alert_rate._MOST_EVENTS", 300)
    some = peaks(*events)
    assert len(some.reached) < len(every.reached) / 2
    edges = np.array([0.03, 0.07])
    assert some.alerts_a_week(edges) == pytest.approx(every.alerts_a_week(edges), rel=0.3)


def test_bands_begin_where_the_wanted_numbers_are_reached() -> None:
    risks = np.linspace(0.0, 0.8, 8001)
    edges, alerts = bands_of(Peaks(np.zeros_like(risks), risks, weeks=10.0, share=0.5), 400.0)
    assert edges.watch == pytest.approx(0.6, abs=0.002)
    assert edges.high == pytest.approx(0.7, abs=0.002)
    assert edges.critical == pytest.approx(0.75, abs=0.002)
    assert alerts.watch == pytest.approx(400, rel=0.01)
    assert alerts.critical == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("risks", [[0.3], [0.0], [1.0], [0.0005], [0.9995, 0.9995], []])
def test_bands_ascend_whatever_the_risks(risks: list[float]) -> None:
    reached = np.array(risks)
    edges, alerts = bands_of(Peaks(np.zeros_like(reached), reached, weeks=1.0, share=1.0), 5.0)
    assert 0 < edges.watch < edges.high < edges.critical < 1
    assert alerts.watch >= alerts.high >= alerts.critical >= 0
