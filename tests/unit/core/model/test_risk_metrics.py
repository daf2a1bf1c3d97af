"""Metrics against their definitions, written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.model.risk_metrics import auroc, brier, ece, log_loss, pr_auc, reliability

judged = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=40)


@given(judged)
def test_auroc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, int]]) -> None:
    labels, risks = [label for label, _ in pairs], [risk / 8 for _, risk in pairs]
    churned = [risk for label, risk in zip(labels, risks, strict=True) if label]
    others = [risk for label, risk in zip(labels, risks, strict=True) if not label]
    if not churned or not others:
        assert np.isnan(auroc(labels, risks))
        return
    won = sum((one > other) + 0.5 * (one == other) for one in churned for other in others)
    assert auroc(labels, risks) == pytest.approx(won / (len(churned) * len(others)))


@given(judged)
def test_pr_auc_is_the_mean_precision_at_each_churner(pairs: list[tuple[int, int]]) -> None:
    churned = [risk for label, risk in pairs if label]
    found = pr_auc([label for label, _ in pairs], [risk / 8 for _, risk in pairs])
    if not churned:
        assert np.isnan(found)
        return
    precisions = [np.mean([label for label, risk in pairs if risk >= threshold]) for threshold in churned]
    assert found == pytest.approx(np.mean(precisions))


def test_brier_and_log_loss_of_known_forecasts() -> None:
    assert brier([1, 0, 1], [0.9, 0.2, 0.4]) == pytest.approx((0.01 + 0.04 + 0.36) / 3)
    assert log_loss([1, 0], [0.8, 0.5]) == pytest.approx(-(np.log(0.8) + np.log(0.5)) / 2)
    assert np.isfinite(log_loss([1, 0], [0.0, 1.0]))


def test_ece_weighs_the_gap_of_each_range_by_its_users() -> None:
    labels, risks = [0, 1, 1, 1], [0.1, 0.15, 0.95, 0.95]
    assert ece(labels, risks) == pytest.approx(0.5 * abs(0.125 - 0.5) + 0.5 * abs(0.95 - 1.0))
    mean_risk, share, weight = reliability(labels, risks)
    assert mean_risk.tolist() == pytest.approx([0.125, 0.95])
    assert share.tolist() == [0.5, 1.0]
    assert weight.tolist() == [0.5, 0.5]


def test_a_risk_of_one_falls_into_the_last_range() -> None:
    assert ece([1], [1.0]) == 0.0
