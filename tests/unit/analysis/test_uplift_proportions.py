"""Intervals and sample sizes against published values."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.analysis.uplift.proportions import POWER, detectable_difference, needed_sample, newcombe, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_in_newcombe_1998(successes: int, trials: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857, table I, method 3."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_difference_as_in_newcombe_1998(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:873, table II, method 10."""
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_turns_with_its_groups() -> None:
    low, high = newcombe(30, 100, 12, 40)
    turned = newcombe(12, 40, 30, 100)
    assert (-turned.high, -turned.low) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("base", "other", "users"),
    # As tables of Fleiss' formula without continuity correction give them, for a power of 0.8.
    [(0.25, 0.40, 152), (0.10, 0.15, 686), (0.50, 0.55, 1565), (0.30, 0.35, 1377)],
)
def test_needed_sample_of_equal_groups(base: float, other: float, users: int) -> None:
    assert needed_sample(base, other - base, ratio=1.0) == pytest.approx(users, abs=1)


def test_the_needed_sample_finds_the_difference_as_often_as_it_says() -> None:
    """Draw the experiment: the interval excludes zero in about four of five."""
    base, difference, ratio = 0.3, 0.1, 4
    users = needed_sample(base, difference, ratio)
    assert users is not None
    random, drawn = np.random.default_rng(4), 1_500
    held_out = random.binomial(users, base, drawn).tolist()
    sent = random.binomial(users * ratio, base + difference, drawn).tolist()
    pairs = zip(sent, held_out, strict=True)
    found = sum(newcombe(more, users * ratio, fewer, users).low > 0 for more, fewer in pairs)
    assert found / drawn == pytest.approx(POWER, abs=0.035)


@pytest.mark.parametrize(("base", "users", "ratio"), [(0.3, 100, 9.0), (0.05, 1000, 19.0), (0.7, 50, 1.0)])
def test_the_detectable_difference_is_the_one_whose_sample_is_at_hand(
    base: float, users: int, ratio: float
) -> None:
    difference = detectable_difference(base, users, ratio)
    assert difference is not None
    needed, less = needed_sample(base, difference, ratio), needed_sample(base, difference - 0.002, ratio)
    assert needed is not None
    assert less is not None
    assert needed <= users < less


def test_what_no_sample_can_show() -> None:
    assert needed_sample(0.97, 0.05, 1.0) is None
    assert detectable_difference(0.9, 5, 1.0) is None
    assert detectable_difference(1.0, 10**6, 1.0) is None
