from __future__ import annotations

from schemas.units import DAY_MS, MINUTE_MS
from streamer.core.timing.source_watch import LEAST_QUIET_MS, SourceWatch


def watched(*minutes: float) -> SourceWatch:
    watch = SourceWatch()
    for minute in minutes:
        watch.arrived(int(minute * MINUTE_MS))
    return watch


def test_a_source_is_down_after_half_an_hour_at_least() -> None:
    watch = watched(0, 1)
    assert not watch.is_down(MINUTE_MS + LEAST_QUIET_MS)
    assert watch.is_down(MINUTE_MS + LEAST_QUIET_MS + 1)


def test_a_source_with_long_ordinary_gaps_is_given_ten_of_them() -> None:
    watch = watched(0, 20)
    assert not watch.is_down(220 * MINUTE_MS)
    assert watch.is_down(220 * MINUTE_MS + 1)


def test_an_outage_teaches_no_patience() -> None:
    watch = watched(0, 1, 300, 301)
    assert watch.patience_ms(301 * MINUTE_MS) == LEAST_QUIET_MS


def test_ordinary_gaps_are_forgotten_after_a_week() -> None:
    watch = watched(0, 20)
    week_later = 8 * DAY_MS
    assert watch.patience_ms(20 * MINUTE_MS) == 200 * MINUTE_MS
    assert watch.patience_ms(week_later) == LEAST_QUIET_MS


def test_a_partition_that_lags_proves_that_the_source_is_not_down() -> None:
    watch = watched(0, 1)
    watch.lags(0)
    assert not watch.is_down(600 * MINUTE_MS)
    watch.lags_no_more(0)
    assert watch.is_down(600 * MINUTE_MS)


def test_a_gap_in_which_a_partition_lagged_teaches_no_patience() -> None:
    watch = watched(0, 1)
    watch.lags(0)
    watch.arrived(300 * MINUTE_MS)
    watch.lags_no_more(0)
    watch.arrived(600 * MINUTE_MS)
    assert watch.patience_ms(600 * MINUTE_MS) == LEAST_QUIET_MS
    watch.arrived(605 * MINUTE_MS)
    assert watch.patience_ms(605 * MINUTE_MS) == 50 * MINUTE_MS


def test_a_worker_that_has_seen_nothing_yet_waits_from_its_start() -> None:
    watch = SourceWatch()
    assert not watch.is_down(5 * MINUTE_MS)
    assert not watch.is_down(5 * MINUTE_MS + LEAST_QUIET_MS)
    assert watch.is_down(5 * MINUTE_MS + LEAST_QUIET_MS + 1)
