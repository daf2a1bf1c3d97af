"""The figures of an evaluation, against plain arithmetic and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from models.evaluation.bootstrap import Interval, draws_for, interval, resampled
from models.evaluation.figures import RowName, cumulative_lift, figures_of, threshold_for
from streamer.core.model import risk_metrics as metrics


def rows(users: int = 400, seed: int = 0, each: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, outcomes and risks of ``each`` rows a user, alike among a user's own; with ties."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), each)
    own = np.repeat(random.normal(size=users), each)
    churned = (own + 0.3 * random.normal(size=len(user)) > 0.8).astype(np.float32)
    guess = own + np.repeat(random.normal(size=users), each)
    risks = 1 / (1 + np.exp(-(guess + 0.3 * random.normal(size=len(user)) - 1)))
    return user, churned, risks.round(2)


def test_figures_at_a_threshold_are_scikit_learns() -> None:
    _, churned, risks = rows()
    row = figures_of(RowName("d", None, "all", 28.0, "m"), churned, risks, Interval(0.1, 0.9), 0.4, {})
    said = risks >= 0.4
    assert row.n == len(churned)
    assert row.flagged == said.sum()
    assert row.accuracy == pytest.approx(accuracy_score(churned, said))
    assert row.precision == pytest.approx(precision_score(churned, said))
    assert row.recall == pytest.approx(recall_score(churned, said))
    assert row.f1 == pytest.approx(f1_score(churned, said))
    assert row.auroc == pytest.approx(roc_auc_score(churned, risks))
    assert row.pr_auc == pytest.approx(average_precision_score(churned, risks))
    assert sum(share for *_, share in row.reliability) == pytest.approx(1.0)
    assert row.lift10 == row.lift[0]


def test_figures_without_a_base_are_none() -> None:
    name = RowName("d", None, "new", 28.0, "m")
    none = figures_of(name, np.zeros(3, np.float32), np.full(3, 0.1), Interval(np.nan, np.nan), 0.5, {})
    assert (none.auroc, none.auroc_lo, none.pr_auc, none.precision, none.recall, none.f1, none.lift10) == (
        None,
    ) * 7
    assert (none.base_rate, none.accuracy, none.lift) == (0.0, 1.0, ())


def test_lift_counts_users_of_one_risk_as_drawn_at_random() -> None:
    churned = np.array([1, 0] * 5 + [0] * 10, np.float32)
    perfect = cumulative_lift(churned, churned.astype(float))
    assert perfect[0] == pytest.approx(4.0)
    assert perfect[-1] == pytest.approx(1.0)
    assert cumulative_lift(churned, np.full(20, 0.3)) == pytest.approx([1.0] * 10)
    halves = cumulative_lift(churned, np.repeat([0.8, 0.2], 10))
    assert halves[:5] == pytest.approx([2.0] * 5)
    # A tenth of 15 users is one and a half of them.
    assert cumulative_lift(np.array([1, 1] + [0] * 13, np.float32), np.linspace(1, 0, 15))[
        0
    ] == pytest.approx(7.5)


def test_a_threshold_flags_as_many_as_were_asked_for() -> None:
    risks = np.array([0.1, 0.5, 0.5, 0.9])
    assert [int((risks >= threshold_for(risks, count)).sum()) for count in range(5)] == [0, 1, 3, 3, 4]


def test_a_draw_of_everybody_once_gives_the_figures_themselves() -> None:
    user, churned, risks = rows()
    drawn = resampled(churned, {"m": risks}, user, 1)["m"]
    assert drawn.shape == (1000, 3)
    exact = [f(churned, risks) for f in (metrics.auroc, metrics.pr_auc, metrics.brier)]
    assert drawn.mean(axis=0) == pytest.approx(exact, abs=0.01)
    one_by_one = resampled(churned, {"m": risks}, np.zeros(len(user), np.int64), 1)["m"]
    assert one_by_one == pytest.approx(np.tile(exact, (1000, 1)))


def test_rows_of_one_user_are_drawn_together() -> None:
    """Taken for as many users, a user's rows would make the interval too narrow."""
    user, churned, risks = rows()
    together = interval(resampled(churned, {"m": risks}, user, 1)["m"][:, 0])
    apart = interval(resampled(churned, {"m": risks}, np.arange(len(user)), 1)["m"][:, 0])
    assert together.hi - together.lo > 1.2 * (apart.hi - apart.lo)
    seen = [interval(resampled(*_redrawn(seed), 1)["m"][:, 0]) for seed in range(40)]
    truth = metrics.auroc(*rows(users=20_000, seed=99)[1:])
    assert sum(lo <= truth <= hi for lo, hi in seen) >= 34


def _redrawn(seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    user, churned, risks = rows(seed=seed)
    return churned, {"m": risks}, user


def test_differences_are_paired_and_seeded() -> None:
    user, churned, risks = rows()
    drawn = resampled(churned, {"one": risks, "same": risks * 0.5}, user, 1)
    np.testing.assert_allclose(drawn["one"][:, :2], drawn["same"][:, :2])
    again = resampled(churned, {"one": risks}, user, 1)
    np.testing.assert_array_equal(drawn["one"], again["one"])
    assert (drawn["one"] != resampled(churned, {"one": risks}, user, 2)["one"]).any()


def test_draws_with_one_outcome_do_not_count() -> None:
    few = resampled(np.array([1, 0], np.float32), {"m": np.array([0.9, 0.1])}, np.arange(2), 1)["m"]
    assert np.isnan(few[:, 0]).any()
    assert interval(few[:, 0]) == (1.0, 1.0)
    assert np.isnan(interval(np.full(3, np.nan))).all()


def test_many_rows_get_fewer_draws() -> None:
    assert [draws_for(count) for count in (1, 40_000, 100_000, 10_000_000)] == [1000, 1000, 400, 200]
