"""BG/NBD against the paper's own figures, and against customers simulated from known parameters."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.bg_nbd import BgNbd, Purchases, fit_bg_nbd
from models.baselines.bg_nbd_risk import BgNbdRisk
from models.data.examples import Examples
from models.data.moments import Moments
from models.recipe import Task
from schemas.bundle.manifest import ChurnTypes
from streamer.core.model.features import FEATURES

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
"""As published for the tenth of CDNOW's customers, 39 weeks."""


def one(repeats: float, last: float, age: float) -> Purchases:
    return Purchases(np.array([repeats]), np.array([last]), np.array([age]))


def simulated(model: BgNbd, customers: int, weeks: float, more: float) -> tuple[Purchases, np.ndarray]:
    """What is seen of ``customers`` in ``weeks``, and what each buys in the ``more`` weeks after them."""
    random = np.random.default_rng(0)
    seen: list[tuple[float, float, float]] = []
    bought: list[int] = []
    for _ in range(customers):
        rate = random.gamma(model.r, 1.0 / model.alpha)
        leaves = random.beta(model.a, model.b)
        age = weeks - random.uniform(0.0, 12.0)
        times = [0.0]
        while random.random() >= leaves or len(times) == 1:
            times.append(times[-1] + float(random.exponential(1.0 / max(rate, 1e-12))))
            if times[-1] > age + more:
                break
        past = [time for time in times if time <= age]
        seen.append((len(past) - 1.0, past[-1], age))
        bought.append(sum(age < time <= age + more for time in times))
    return Purchases(*np.array(seen).T), np.array(bought)


def test_the_expectation_is_the_papers() -> None:
    """Customer 1 of the spreadsheet that accompanies the paper, 39 weeks ahead."""
    assert CDNOW.expected_purchases(one(2, 30.43, 38.86), 39.0)[0] == pytest.approx(1.226, abs=0.001)


def test_many_repeats_and_long_horizons_stay_finite() -> None:
    seen = Purchases(
        np.array([0.0, 2000.0, 2000.0]), np.array([0.0, 500.0, 100.0]), np.array([0.0, 501.0, 501.0])
    )
    expected = CDNOW.expected_purchases(seen, 52.0)
    assert np.isfinite(expected).all()
    assert expected[1] == pytest.approx(52 * 2000 / 505, rel=0.1)
    assert expected[2] < 1e-9
    near_one = [BgNbd(0.2, 4.0, a, 2.4).expected_purchases(seen, 52.0)[0] for a in (0.999, 1.0, 1.001)]
    assert near_one[0] == pytest.approx(near_one[1], rel=0.01)
    assert near_one[2] == pytest.approx(near_one[1], rel=0.01)


def test_known_parameters_are_found_again_and_foretell_what_is_bought() -> None:
    true = BgNbd(0.5, 4.0, 0.8, 2.4)
    seen, bought = simulated(true, 20_000, weeks=52.0, more=13.0)
    found = fit_bg_nbd(seen)
    assert found.log_likelihood(seen) >= true.log_likelihood(seen)
    assert found.r == pytest.approx(true.r, rel=0.1)
    assert found.alpha == pytest.approx(true.alpha, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(0.25, abs=0.05)
    expected = found.expected_purchases(seen, 13.0)
    assert expected.mean() == pytest.approx(bought.mean(), rel=0.07)
    often = seen.repeats >= 3
    assert expected[often].mean() == pytest.approx(bought[often].mean(), rel=0.1)


def test_a_shop_that_nobody_leaves_is_fitted_too() -> None:
    random = np.random.default_rng(1)
    repeats = random.poisson(5.0, 500).astype(np.float64)
    found = fit_bg_nbd(Purchases(repeats, np.where(repeats > 0, 51.0, 0.0), np.full(500, 52.0)))
    expected = found.expected_purchases(one(5.0, 51.0, 52.0), 52.0)[0]
    assert expected == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize(
    ("churn_types", "names"),
    [
        ("purchase", ("purchase_days", "purchase_gap_mean", "since_purchase")),
        ("any", ("visit_days", "gap_mean", "silence")),
    ],
)
def test_risk_falls_with_the_purchases_expected_and_reads_the_features(
    churn_types: ChurnTypes, names: tuple[str, str, str]
) -> None:
    seen, bought = simulated(BgNbd(0.5, 4.0, 0.8, 2.4), 4_000, weeks=52.0, more=4.0)
    features = np.zeros((4_000, len(FEATURES)), np.float32)
    days = {
        names[0]: seen.repeats + 1,
        names[1]: 7 * seen.last / np.maximum(seen.repeats, 1),
        names[2]: 7 * (seen.age - seen.last),
    }
    for name, values in days.items():
        features[:, FEATURES.index(name)] = np.log1p(values)
    nothing = np.zeros(4_000, np.int64)
    churned = (bought == 0).astype(np.float32)
    unknown = np.full(4_000, np.nan, np.float32)
    examples = Examples(
        Moments(nothing, nothing.astype(float)), features, nothing, bought > 0, churned, unknown, unknown
    )
    task = Task(0, horizon_ms=28 * 86_400_000, churn_types=churn_types)
    risk = BgNbdRisk(features, examples, task)
    risks = risk(features)
    expected = risk.model.expected_purchases(seen, 4.0)
    assert (np.diff(risks[np.argsort(expected)]) <= 1e-5).all()
    assert risks.mean() == pytest.approx(churned.mean(), abs=0.01)
