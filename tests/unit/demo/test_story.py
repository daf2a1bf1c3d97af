"""What is kept of alerts, and the story of one."""

from __future__ import annotations

import pytest

from schemas.units import DAY_MS
from schemas.wire.encoding import encode_alert, encode_score
from streamer.demo.audience.alert_log import AlertLog
from streamer.demo.audience.audience import ALERTS_A_FRAME, Audience
from streamer.demo.page.alert_search import newest_lines, search_alerts
from streamer.demo.page.story import tell
from tests.demo_messages import alert, day, manifest, score


@pytest.fixture
def audience() -> Audience:
    """Household 7 was raised, escalated and came back; household 8 is silent."""
    told = Audience(manifest())
    for number in (0, 5, 10, 40):
        told.households.note("7", day(number))
    told.households.note("8", day(2))
    for revision in (
        alert("7", day(20), day(10)),
        alert("7", day(30), day(10), transition="escalated", revision=2, band="critical", probability=0.9),
        alert("7", day(40), day(40), transition="resolved", revision=3, band="critical", reason="purchase"),
        alert("8", day(41), day(2), alert_id="a2", band="watch"),
    ):
        told.take_alert(encode_alert(revision))
    told.take_score(
        b"7", encode_score(score("7", day(10), 0.6, scored_ms=day(20), curve=(0.2, 0.4, 0.8), alert_id="a1"))
    )
    told.take_score(b"7", encode_score(score("7", day(40), 0.1)))
    told.take_score(b"8", encode_score(score("8", day(2), 0.3, scored_ms=day(41), alert_id="a2")))
    return told


def test_a_lower_revision_is_ignored() -> None:
    log = AlertLog()
    assert log.take(alert("7", day(20), day(10), revision=2, transition="escalated"))
    assert not log.take(alert("7", day(20), day(10), revision=2, transition="escalated"))
    assert not log.take(alert("7", day(19), day(10)))
    assert len(log.newest) == 1


def test_open_alerts_are_counted_by_their_newest_band(audience: Audience) -> None:
    frame = audience.next_frame()
    assert frame.open == {"watch": 1, "high": 0, "critical": 0}
    assert (frame.raised, frame.escalated, frame.resolved) == (2, 1, 1)


def test_a_frame_holds_what_is_new_and_openings_first(audience: Audience) -> None:
    first = audience.next_frame()
    assert [line.kind for line in first.alerts] == ["raised", "escalated", "raised"]
    assert first.point is not None
    again = audience.next_frame()
    assert again.alerts == []
    assert again.point is None
    for number in range(20):
        audience.take_alert(encode_alert(alert("8", day(42), day(2), alert_id=f"b{number}")))
    assert len(audience.next_frame().alerts) == ALERTS_A_FRAME


def test_nothing_in_a_frame_is_later_than_its_clock(audience: Audience) -> None:
    audience.take_alert(encode_alert(alert("9", day(55), day(30), alert_id="a3")))
    frame = audience.next_frame()
    assert frame.clock_ms == day(55)
    assert frame.point is not None
    assert frame.point.at_ms == day(55)
    assert max(line.at_ms for line in frame.alerts) == day(55)


def test_a_point_of_the_chart_is_renewed_while_the_other_partitions_catch_up(audience: Audience) -> None:
    assert audience.next_frame().point == (renewed := audience.chart[-1])
    late = score("9", day(40), 0.9, partition=1, band="critical")
    audience.take_score(b"9", encode_score(late))
    point = audience.next_frame().point
    assert point is not None
    assert (point.at_ms, point.critical) == (renewed.at_ms, renewed.critical + 1)
    assert audience.chart == [point]


def test_the_clock_ends_with_the_data(audience: Audience) -> None:
    audience.households.note("9", day(70))
    assert audience.clock_ms == day(41)
    audience.phase = "done"
    assert audience.clock_ms == audience.next_frame().clock_ms == day(70)
    assert Audience(manifest()).clock_ms is None


def test_alerts_are_shown_by_their_date_however_they_arrive(audience: Audience) -> None:
    audience.next_frame()
    for number in (50, 48, 52):
        audience.take_alert(encode_alert(alert("9", day(number), day(30), alert_id=f"a{number}")))
    assert [line.at_ms for line in audience.next_frame().alerts] == [day(48), day(50), day(52)]
    moments = [line.at_ms for line in newest_lines(audience)]
    assert moments == sorted(moments)


def test_committed_events_never_fall_and_come_with_a_rate() -> None:
    told = Audience(manifest())
    told.commit(0, 0.0)
    told.commit(5_000, 5.0)
    told.commit(0, 5.0)
    frame = told.next_frame()
    assert (frame.committed, frame.events_per_s) == (5_000, 1_000.0)


def test_an_expired_alert_is_no_success(audience: Audience) -> None:
    audience.take_alert(
        encode_alert(
            alert("8", day(70), day(2), alert_id="a2", transition="resolved", revision=2, reason="expired")
        )
    )
    line = newest_lines(audience)[-1]
    assert (line.kind, line.tone, line.label) == ("resolved", "gone", "stayed away")
    story = tell("a2", audience.alerts, audience.households, day(70))
    assert story is not None
    assert [revision.tone for revision in story.revisions] == ["watch", "gone"]
    assert story.verdict == "gone"
    assert search_alerts(audience, "gone", "").alerts[0].tone == "watch"


def test_a_story_tells_purchases_silence_curve_and_outcome(audience: Audience) -> None:
    story = tell("a1", audience.alerts, audience.households, day(45))
    assert story is not None
    assert story.purchases == [day(0), day(5), day(10), day(40)]
    assert (story.last_purchase_ms, story.silence_until_ms) == (day(10), day(40))
    assert [point.probability for point in story.curve] == [0.2, 0.4, 0.8]
    assert [revision.kind for revision in story.revisions] == ["raised", "escalated", "resolved"]
    assert (story.verdict, story.outcome) == ("returned", "Shopped again 20 days after the alert.")
    assert "usually shops every 5 days" in story.words


def test_a_story_knows_nothing_beyond_the_clock(audience: Audience) -> None:
    audience.households.note("8", day(60))
    story = tell("a2", audience.alerts, audience.households, day(50))
    assert story is not None
    assert story.verdict == "open"
    assert story.purchases == [day(2)]
    assert story.silence_until_ms == day(50)
    assert story.horizon_until_ms == day(41) + 28 * DAY_MS


def test_an_unknown_alert_has_no_story(audience: Audience) -> None:
    assert tell("nobody", audience.alerts, audience.households, day(50)) is None


def test_alerts_are_found_by_outcome_and_by_household(audience: Audience) -> None:
    assert [found.alert_id for found in search_alerts(audience, "returned", "").alerts] == ["a1"]
    assert [found.alert_id for found in search_alerts(audience, "open", "").alerts] == ["a2"]
    assert search_alerts(audience, "gone", "").count == 0
    found = search_alerts(audience, "newest", "7")
    assert (found.count, found.alerts[0].verdict) == (1, "returned")
