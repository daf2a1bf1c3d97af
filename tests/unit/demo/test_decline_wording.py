"""What alerts of a decline say, and what became of their households."""

from __future__ import annotations

import msgspec
import pytest

from schemas.alert import AlertReason, DriverMessage
from schemas.parts import UsualMessage
from streamer.demo.audience.alert_log import AlertLog
from streamer.demo.judgement.households import Households
from streamer.demo.page.spending import spending_of
from streamer.demo.page.story import tell
from streamer.demo.wording.alerts import alert_in_words, tone_and_label
from streamer.demo.wording.figures import about_days, count_of, in_months, money
from streamer.demo.wording.outcomes import decline_in_words, outcome_of
from tests.demo_messages import USUAL, day, decline_alert

LIKELY = "62 % likely to come less than half as often; 74 USD expected to be lost within 56 days (high)"
KNOWN = DriverMessage("days_since_first_event", 198.6, None, -0.1)
VISITS = DriverMessage("visit_days_per_month", 1.64, 5.0, 1.2)
SPENDING = DriverMessage("spending_per_month", 12.3, 82.0, 0.4)
STEADY = DriverMessage("visit_days_per_month", 4.8, 5.0, 0.1)


@pytest.mark.parametrize(
    ("away", "drivers", "words"),
    [
        (16, (KNOWN,), "for half a year, now 16 days away (2.7 times as long); usually 82 USD a month"),
        (16, (VISITS, SPENDING), ", now 16 days away (2.7 times as long); usually 82 USD a month, lately 12"),
        (
            8,
            (VISITS, SPENDING),
            ", now 8 days away; lately 1.6 visits and 12 USD a month instead of 5 and 82",
        ),
        (8, (VISITS,), ", now 8 days away; lately 1.6 visits a month instead of 5; usually 82 USD a month"),
        (6, (STEADY,), ", now due again; usually 82 USD a month"),
    ],
)
def test_a_raised_alert_says_what_has_changed(
    away: float, drivers: tuple[DriverMessage, ...], words: str
) -> None:
    opened = decline_alert("7", day(away), day(0), *drivers)
    came = "household 7: came every 6 days" + ("" if words.startswith(",") else " ")
    assert alert_in_words(opened, None) == f"{came}{words} — {LIKELY}"


def test_later_revisions_say_how_long_it_is_by_now() -> None:
    risen = decline_alert("7", day(16), day(0), SPENDING, transition="escalated")
    assert alert_in_words(risen, None) == (
        f"household 7: still away: 16 days now instead of 6 (2.7 times as long); "
        f"usually 82 USD a month, lately 12 — {LIKELY}"
    )
    fallen = decline_alert("7", day(6), day(0), transition="deescalated")
    assert alert_in_words(fallen, None) == (
        f"household 7: less at stake than before: 6 days, as usual; usually 82 USD a month — {LIKELY}"
    )


def test_what_is_not_known_is_not_said() -> None:
    opened = decline_alert("7", day(16), day(0))
    without = msgspec.structs.replace(opened.data, expected_loss=None)
    assert alert_in_words(msgspec.structs.replace(opened, data=without), None) == (
        "household 7: came every 6 days, now 16 days away (2.7 times as long); usually 82 a month — "
        "62 % likely to come less than half as often within 56 days (high)"
    )
    free = msgspec.structs.replace(without, usual=UsualMessage(5.0, 0.0, 6.0))
    assert "away (2.7 times as long) — 62 %" in alert_in_words(
        msgspec.structs.replace(opened, data=free), None
    )
    unusual = msgspec.structs.replace(without, usual=None, overdue=None)
    assert alert_in_words(msgspec.structs.replace(opened, data=unusual), None).startswith(
        "household 7: has shopped only once or twice, away for 16 days — 62 %"
    )


@pytest.mark.parametrize(
    ("reason", "words", "label"),
    [
        ("purchase", "is back and shopped again", "came back"),
        ("expired", "stayed away for the 56 days of the alert", "stayed away"),
        ("recovered", "no longer enough at stake for an alert", "less at stake"),
    ],
)
def test_a_resolution_tells_why(reason: AlertReason, words: str, label: str) -> None:
    resolved = decline_alert("7", day(70), day(0), transition="resolved", reason=reason)
    assert alert_in_words(resolved, None) == f"household 7: {words}"
    assert tone_and_label(resolved)[1] == label


@pytest.mark.parametrize(
    ("visits", "since", "outcome"),
    [(4, 57, "gone"), (5, 57, "returned"), (4, 56, "open"), (5, 20, "returned"), (0, 1, "open")],
)
def test_a_decline_is_fewer_than_half_of_the_usual_days(visits: int, since: float, outcome: str) -> None:
    """Five visit days a month are 9.3 in 56 days."""
    assert decline_in_words(visits, 34.0, USUAL, since, 56, "USD")[0] == outcome


def test_an_outcome_says_visits_and_money_beside_the_usual() -> None:
    assert decline_in_words(1, 34.0, USUAL, 60, 56, "USD")[1] == (
        "In the 56 days after the alert it came on 1 day and spent 34 USD; usually on 9 days and 153 USD."
    )
    assert decline_in_words(1, 34.0, USUAL, 12.4, 56, "USD")[1] == (
        "In the 12 days since the alert it came on 1 day and spent 34 USD; usually on 9 days and 153 USD in "
        "56 days. Too early to tell."
    )


def households() -> Households:
    """Spends 10 on days 0, 16, 30 and 100, on the last of them twice."""
    known = Households()
    for number in (0, 16, 30, 100, 100.2):
        known.note("7", day(number), 10.0)
    return known


def test_what_comes_after_the_alert_counts_up_to_the_clock_and_the_window() -> None:
    known, opened = households(), decline_alert("7", day(16), day(0))
    assert known.visit_days("7", day(15), day(16)) == 1
    # A day that had begun with a purchase is no new visit.
    assert known.visit_days("7", day(100), day(101)) == 0
    assert known.visit_days("7", day(16), day(100.2)) == 2
    assert known.spent("7", day(16), day(100.2)) == 30.0
    assert "came on 0 days and spent 0 USD" in outcome_of(opened, known, day(29))[1]
    assert outcome_of(opened, known, day(110))[0] == "gone"
    assert "came on 1 day and spent 10 USD" in outcome_of(opened, known, day(110))[1]


def test_spending_is_told_four_weeks_by_four_weeks() -> None:
    known, opened = households(), decline_alert("7", day(60), day(30))
    told = spending_of(opened, known, day(101))
    assert told is not None
    assert told.usual == pytest.approx(82 / 30 * 28)
    assert [(stretch.from_ms, stretch.amount) for stretch in told.stretches] == [
        (day(4), 20.0), (day(32), 0.0), (day(60), 0.0), (day(88), 20.0),
    ]  # fmt: skip
    # A stretch that the replay has only begun has what is known of it.
    begun = spending_of(opened, known, day(20))
    assert begun is not None
    assert [stretch.amount for stretch in begun.stretches] == [10.0]


def test_a_story_of_a_decline_has_the_usual_gap_and_the_window() -> None:
    log = AlertLog()
    log.take(decline_alert("7", day(16), day(0)))
    story = tell("d1", log, households(), day(101))
    assert story is not None
    assert story.due_ms == day(6)
    assert story.horizon_until_ms == day(16 + 56)
    assert story.to_ms > story.horizon_until_ms
    assert story.verdict == "gone"
    assert story.habit == "usually shops every 6 days"
    assert story.spending is not None
    assert story.revisions[0].words == "raised as high at 74 USD, 62 % likely"


def test_figures_as_people_say_them() -> None:
    assert [about_days(days) for days in (1.0, 1.24, 1.3, 2.4, 2.8, 15.6)] == [
        "a day", "a day", "1.5 days", "2.5 days", "3 days", "16 days",
    ]  # fmt: skip
    assert [in_months(days) for days in (20, 61, 182, 270, 365)] == [
        "20 days", "2 months", "half a year", "9 months", "a year",
    ]  # fmt: skip
    assert [count_of(number, "visit") for number in (0.04, 1.0, 1.64, 14.2)] == [
        "0 visits", "1 visit", "1.6 visits", "14 visits",
    ]  # fmt: skip
    assert (money(1234.5, "USD"), money(0.4, None)) == ("1,234 USD", "0")
