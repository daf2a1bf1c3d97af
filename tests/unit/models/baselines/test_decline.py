"""Baselines of decline: how overdue a customer is from features alone, and trees of a size that is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.baselines.decline import LEAVES, TREES, DeclineLessons, DeclineTrees, fit_decline
from models.baselines.overdue import OverdueRisk, overdue_of
from models.data.histories import aggregates_at
from models.data.moments import cut_moments
from schemas.bundle.manifest import ChurnTypes
from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean, usual_of
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.features import features_at
from streamer.core.model.risk_metrics import auroc
from tests.tiny_training import START_MS, TASK, shop

SHOP = ShopMean(0.1, 8.0, 1.0, 2.0)


@pytest.mark.parametrize("churn_types", ["purchase", "any"])
def test_overdue_from_features_is_that_of_the_core(churn_types: ChurnTypes) -> None:
    histories = shop()
    moments = cut_moments(histories, np.array([START_MS + 100 * DAY_MS]), np.inf)
    aggregates = aggregates_at(histories, moments.event)
    features = features_at(aggregates, moments.time_ms)
    usual = usual_of(aggregates, SHOP, churn_types)
    wanted = np.where(usual.known, usual.overdue(moments.time_ms), 0.0)
    found = overdue_of(features, SHOP, churn_types)
    assert found == pytest.approx(wanted, rel=1e-4 if churn_types == "purchase" else 0.01)
    assert (wanted == 0).any()
    risks = OverdueRisk(SHOP, churn_types)(features)
    assert ((risks >= 0) & (risks < 1)).all()
    assert (np.diff(risks[np.argsort(found)]) >= 0).all()


def test_lessons_end_a_window_before_what_is_known_and_all_baselines_learn_from_them() -> None:
    terms = DeclineTerms(20 * DAY_MS, SHOP, "any")
    learnt = DeclineLessons(shop(), TASK, terms, "--from")
    assert len(learnt.features) == len(learnt.declined) == len(learnt.user) > 100
    assert set(np.unique(learnt.declined).tolist()) == {0.0, 1.0}
    risks = fit_decline(learnt, TASK, terms)
    assert list(risks) == ["overdue", "recency", "rfm", "lightgbm"]
    for risk in risks.values():
        found = risk(learnt.features)
        assert ((found > 0) & (found < 1)).all()
    trees = risks["lightgbm"]
    assert isinstance(trees, DeclineTrees)
    assert trees.leaves in LEAVES
    assert trees.trees in TREES
    assert auroc(learnt.declined, trees(learnt.features)) > 0.7
    early = replace(TASK, until_ms=START_MS + 39 * DAY_MS)
    with pytest.raises(ConfigurationError, match="two windows before --from"):
        DeclineLessons(shop(), early, terms, "--from")
