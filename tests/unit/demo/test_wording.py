"""Alerts and outcomes in plain words."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from schemas.alert import Alert, AlertReason, DriverCode, DriverMessage, ExpectedValue, Transition
from streamer.demo.judgement.households import Households
from streamer.demo.wording.alerts import alert_in_words, tone_and_label
from streamer.demo.wording.drivers import driver_in_words, top_driver
from streamer.demo.wording.figures import habit, in_days, percent
from streamer.demo.wording.outcomes import outcome_in_words
from tests.demo_messages import alert, day

SILENCE = DriverMessage("days_since_last_purchase", 41.8, 9.2, 1.6)
VISITS = DriverMessage("visit_days_per_month", 0.17, 4.27, 1.4)


def because(*drivers: DriverMessage, transition: Transition = "raised") -> Alert:
    """An alert of a household silent for 41 days, with these drivers."""
    bare = alert("7", day(41.8), day(0), transition=transition)
    return msgspec.structs.replace(bare, data=msgspec.structs.replace(bare.data, drivers=drivers))


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (SILENCE, "last purchase 41 days ago; usually every 9"),
        (
            DriverMessage("days_since_last_purchase", 3.0, 1.2, 1.0),
            "last purchase 3 days ago; usually every day",
        ),
        (DriverMessage("days_since_last_purchase", 3.0, None, 1.0), "last purchase 3 days ago"),
        (DriverMessage("days_since_last_purchase", None, None, 1.0), "no purchase yet"),
        (DriverMessage("days_since_last_event", 1.5, 9.2, 1.0), "last seen 1 day ago; usually every 9"),
        (VISITS, "0.2 visits a month lately; usually 4.3"),
        (DriverMessage("visit_days_per_month", None, None, 1.0), "too new for a usual pace of visits"),
        (DriverMessage("spending_per_month", 2.45, 1075.02, 1.0), "spends 2 a month lately; usually 1,075"),
        (DriverMessage("spending_per_month", -0.3, None, 1.0), "spends 0 a month lately"),
        (DriverMessage("spending_per_month", None, None, 1.0), "too new for a usual spending"),
        (DriverMessage("days_since_first_event", 316.2, None, 1.0), "first seen 316 days ago"),
        (DriverMessage("recent_actions", None, None, 1.0), "what it did last, and in which order"),
    ],
)
def test_a_driver_says_the_figure_beside_the_usual_one(driver: DriverMessage, words: str) -> None:
    assert driver_in_words(driver) == words


@pytest.mark.parametrize("code", get_args(DriverCode))
@pytest.mark.parametrize("figures", [(5.0, 2.0), (5.0, None), (None, None)])
def test_every_driver_has_words(code: DriverCode, figures: tuple[float | None, float | None]) -> None:
    words = driver_in_words(DriverMessage(code, *figures, 1.0))
    assert words
    assert "None" not in words
    assert code not in words


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (ExpectedValue(1234.56, "USD"), "(high); 1,235 USD of spending expected until then"),
        (ExpectedValue(0.2, None), "(high); 0 of spending expected until then"),
        (None, "(high)"),
    ],
)
def test_an_alert_says_what_is_at_stake(expected: ExpectedValue | None, words: str) -> None:
    bare = because(SILENCE)
    told = msgspec.structs.replace(bare, data=msgspec.structs.replace(bare.data, expected_value=expected))
    assert alert_in_words(told, None).endswith(words)


def test_the_top_driver_is_what_raises_the_risk_most() -> None:
    lowers = DriverMessage("spending_per_month", 900.0, 80.0, -3.0)
    assert top_driver(because(lowers, VISITS, SILENCE)) == SILENCE
    assert top_driver(because(lowers)) is None
    assert top_driver(because()) is None


def test_an_alert_names_its_top_driver() -> None:
    away = "62 % likely to stay away another 28 days (high)"
    assert alert_in_words(because(SILENCE, VISITS), 5.0) == (
        f"household 7: last purchase 41 days ago; usually every 9 — {away}"
    )
    assert alert_in_words(because(VISITS), 5.0) == (
        f"household 7: silent for 41 days; 0.2 visits a month lately; usually 4.3 — {away}"
    )
    assert alert_in_words(because(SILENCE, transition="escalated"), 5.0) == (
        f"household 7: still silent; last purchase 41 days ago; usually every 9 — {away}"
    )
    assert alert_in_words(because(VISITS, transition="escalated"), 5.0) == (
        f"household 7: still silent after 41 days; 0.2 visits a month lately; usually 4.3 — {away}"
    )
    assert alert_in_words(because(SILENCE, transition="deescalated"), 5.0) == (
        f"household 7: less at risk than before; last purchase 41 days ago; usually every 9 — {away}"
    )


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
    ("reason", "tone", "label"),
    [
        ("purchase", "returned", "came back"),
        ("late_event", "returned", "came back"),
        ("expired", "gone", "stayed away"),
        ("recovered", "over", "less at risk"),
        ("erased", "over", "erased"),
    ],
)
def test_only_who_came_back_is_shown_as_a_success(reason: AlertReason, tone: str, label: str) -> None:
    resolved = alert("7", day(3), day(3), transition="resolved", revision=2, reason=reason)
    assert tone_and_label(resolved) == (tone, label)


@pytest.mark.parametrize("transition", ["raised", "escalated", "deescalated"])
def test_an_open_alert_is_shown_by_its_band(transition: Transition) -> None:
    opened = alert("7", day(3), day(0), transition=transition, band="critical")
    assert tone_and_label(opened) == ("critical", "critical")


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


@pytest.mark.parametrize("after_days", [0.2, 1.2, 20, 30])
@pytest.mark.parametrize("next_days", [None, 0.1])
def test_an_outcome_is_a_sentence_after_any_time(after_days: float, next_days: float | None) -> None:
    following = None if next_days is None else day(10 + next_days)
    _, sentence = outcome_in_words(day(10), following, day(10 + after_days), 28)
    assert "the less than" not in sentence
    if next_days is None:
        assert f"since the alert, {in_days(after_days)} ago" in sentence


def test_the_usual_gap_is_the_median_between_shopping_days_so_far() -> None:
    known = Households()
    for number in (21, 0, 0.2, 5, 10, 100):
        known.note("u", day(number))
    assert known.usual_gap_days("u", day(21)) == 5.0
    assert known.usual_gap_days("u", day(6)) is None
    assert known.next_purchase("u", day(10)) == day(21)
    assert known.next_purchase("u", day(100)) is None
    assert not known.purchase_within("u", day(22), day(100))
