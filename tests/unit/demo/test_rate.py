"""The rate of commits, with the time passed in."""

from __future__ import annotations

import pytest

from streamer.demo.audience.rate import CommitRate


def test_a_burst_is_spread_over_the_window() -> None:
    rate = CommitRate(window_s=5.0)
    rate.note(100.0, 0)
    rate.note(100.01, 4_000)
    assert rate.per_s() == 800.0
    rate.note(102.0, 4_000)
    assert rate.per_s() == 800.0


@pytest.mark.parametrize("burst_every", [1, 5, 10])
def test_bursts_of_a_steady_worker_give_a_steady_rate(burst_every: int) -> None:
    rate = CommitRate(window_s=5.0)
    shown: list[float] = []
    for look in range(200):
        rate.note(look / 10, look // burst_every * burst_every * 100)
        shown.append(rate.per_s())
    assert all(800 <= per_s <= 1_200 for per_s in shown[60:])
    assert shown[:50] == sorted(shown[:50])


def test_the_rate_falls_to_nothing_when_nothing_more_comes() -> None:
    rate = CommitRate(window_s=5.0)
    assert rate.per_s() == 0.0
    for second in range(6):
        rate.note(float(second), second * 1_000)
    assert rate.per_s() == 1_000.0
    for second in range(6, 12):
        rate.note(float(second), 5_000)
    assert rate.per_s() == 0.0


def test_a_late_look_counts_the_time_that_has_passed() -> None:
    rate = CommitRate(window_s=5.0)
    rate.note(0.0, 0)
    rate.note(20.0, 10_000)
    assert rate.per_s() == 500.0
