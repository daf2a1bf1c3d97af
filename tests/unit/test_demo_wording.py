"""Alerts and outcomes in plain words."""

from __future__ import annotations

import pytest

from streamer.demo.households import Households
from streamer.demo.wording import alert_in_words, habit, in_days, outcome_in_words, percent
from tests.demo_messages import alert, day


def test_a_raised_alert_says_what_is_usual_and_what_is_likely() -> None:
    assert alert_in_words(alert("1228", day(19.5), day(0)), usual_gap_days=5.0) == (
        "household 1228: usually shops every 5 days, silent for 19 — "
        "62 % likely to stay away another 28 days (high)"
    )


def test_a_household_without_a_pace_is_said_to_have_none() -> None:
    assert "has shopped only once or twice, silent for 19 days —" in alert_in_words(
        alert("1", day(19.5), day(0)), None
    )


def test_an_escalation_tells_of_the_longer_silence() -> None:
    escalated = alert(
        "7", day(26), day(0), transition="escalated", revision=2, band="critical", probability=0.81
    )
    assert alert_in_words(escalated, 5.0) == (
        "household 7: still silent after 26 days — 81 % likely to stay away another 28 days (critical)"
    )


def test_a_resolution_tells_why() -> None:
    resolved = alert("7", day(3), day(3), transition="resolved", revision=2, reason="purchase")
    assert alert_in_words(resolved, 5.0) == "household 7: is back and shopped again"


@pytest.mark.parametrize(
    ("days", "words"), [(0.9, "less than a day"), (1.2, "1 day"), (2.0, "2 days"), (19.9, "19 days")]
)
def test_days_are_whole_and_past(days: float, words: str) -> None:
    assert in_days(days) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.004, "under 1 %"), (0.624, "62 %"), (0.997, "over 99 %"), (1.0, "100 %")],
)
def test_what_is_not_certain_never_looks_certain(share: float, words: str) -> None:
    assert percent(share) == words


def test_a_pace_below_two_days_is_daily() -> None:
    assert habit(1.0) == "usually shops every day"
    assert habit(1.6) == "usually shops every 2 days"


@pytest.mark.parametrize(
    ("next_day", "clock_day", "verdict"),
    [
        (12, 12, "returned"),
        (38, 40, "returned"),
        (38.1, 40, "gone"),
        (None, 38.1, "gone"),
        (None, 30, "open"),
    ],
)
def test_the_verdict_turns_with_the_horizon(next_day: float | None, clock_day: float, verdict: str) -> None:
    following = None if next_day is None else day(next_day)
    assert outcome_in_words(day(10), following, day(clock_day), 28)[0] == verdict


def test_the_usual_gap_is_the_median_between_shopping_days_so_far() -> None:
    known = Households()
    for number in (21, 0, 0.2, 5, 10, 100):
        known.note("u", day(number))
    assert known.usual_gap_days("u", day(21)) == 5.0
    assert known.usual_gap_days("u", day(6)) is None
    assert known.next_purchase("u", day(10)) == day(21)
    assert known.next_purchase("u", day(100)) is None
    assert not known.purchase_within("u", day(22), day(100))
