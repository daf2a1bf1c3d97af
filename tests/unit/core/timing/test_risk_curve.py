from __future__ import annotations

import pytest

from streamer.core.timing.risk_curve import next_crossing

GRID = (1_000_000, 2_000_000, 4_000_000, 8_000_000)
RISING = (0.1, 0.3, 0.5, 0.9)


def test_crossing_lies_between_the_steps_around_the_edge() -> None:
    crossing = next_crossing(GRID, RISING, 0.4, after_ms=1_000_000, risk_after=0.1)
    assert crossing is not None
    assert 2_000_000 < crossing < 4_000_000
    halfway_in_log_silence = 2_000_000 * 2**0.5
    assert crossing == pytest.approx(halfway_in_log_silence, abs=1000)


def test_crossing_is_interpolated_from_the_moment_asked_within_a_step() -> None:
    crossing = next_crossing(GRID, RISING, 0.4, after_ms=3_000_000, risk_after=0.39)
    assert crossing is not None
    assert 3_000_000 < crossing < 3_200_000


def test_guesses_that_come_too_soon_still_reach_the_steps_end() -> None:
    silence, guesses = 2_000_000, 0
    while silence < 4_000_000:
        crossing = next_crossing(GRID, RISING, 0.5, after_ms=silence, risk_after=0.4999999)
        assert crossing is not None
        assert crossing > silence
        silence, guesses = crossing, guesses + 1
    assert silence == 4_000_000
    assert guesses <= 17


def test_an_edge_the_curve_never_reaches_is_no_deadline() -> None:
    assert next_crossing(GRID, RISING, 0.95, after_ms=1_000_000, risk_after=0.1) is None
    assert next_crossing(GRID, RISING, 0.4, after_ms=8_000_000, risk_after=0.2) is None


def test_a_falling_curve_is_crossed_where_it_rises_again() -> None:
    crossing = next_crossing(GRID, (0.6, 0.2, 0.3, 0.7), 0.5, after_ms=1_000_000, risk_after=0.6)
    assert crossing is not None
    assert 4_000_000 < crossing <= 8_000_000


def test_crossing_is_after_the_moment_asked() -> None:
    crossing = next_crossing(GRID, RISING, 0.300001, after_ms=2_000_000, risk_after=0.3)
    assert crossing is not None
    assert crossing > 2_000_000
