"""A bundle that also foretells who declines and what is spent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.bundle.model_card import model_card
from models.data.histories import Histories, collect
from models.fit.loss_scale import HIGHEST, LOWEST
from models.fit.shop_mean import STRENGTHS_DAYS, shop_mean_of
from models.loop.epochs import Run
from models.loop.progress import Interruption
from models.selection.loss_method import METHODS
from models.train_bundle import train_bundle
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.model.features import features_at
from streamer.core.model.reference import from_ages
from streamer.inference.bundle import load_bundle
from streamer.inference.risk_model import OnnxRiskModel
from streamer.policy.file import load_policy
from tests.tiny_training import DAYS, START_MS, TASK, Watch, shop, shop_events

DECLINE = dataclasses.replace(TASK, definition="decline", window_ms=20 * DAY_MS)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decline") / "bundle"
    train_bundle(shop(), DECLINE, "tiny", out, Run())
    return out


def test_the_manifest_says_what_is_foretold(bundle: Path) -> None:
    # Loading compares the graph's answers with what the network said in training.
    manifest = load_bundle(bundle).manifest
    assert manifest.decline is not None
    assert manifest.decline.window_days == 20.0
    assert 0.05 < manifest.decline.usual.visit_days < 1.0
    assert manifest.decline.usual.spend > 0.0
    assert manifest.decline.spend_scale > 0.0
    metrics = manifest.metrics
    assert metrics["validation_decline_n"] > 10
    assert 0.0 < metrics["validation_decline_base_rate"] < 1.0
    assert 0.0 <= metrics["validation_decline_auroc"] <= 1.0
    assert metrics["validation_decline_brier"] < 0.5
    assert "Decline, fewer than half of the usual visit days within 20 days" in model_card(manifest)


def test_the_manifest_says_what_alerts_go_by(bundle: Path) -> None:
    manifest = load_bundle(bundle).manifest
    assert manifest.definition == "decline"
    assert manifest.window_days == manifest.risk_days == 20.0
    loss = manifest.expected_loss
    assert loss is not None
    assert LOWEST <= loss.scale <= HIGHEST
    assert [one.method for one in loss.methods] == list(METHODS)
    assert min(one.behind for one in loss.methods) == 0.0
    assert loss.alerts_a_week is not None
    assert loss.alerts_a_week.watch >= loss.alerts_a_week.critical > 0.0
    policy = load_policy(None, manifest, 0.0)
    assert policy.alert_by == "loss"
    assert policy.edges == (loss.edges.watch, loss.edges.high, loss.edges.critical)
    card = model_card(manifest)
    assert "fewer than half of the own usual days within the next 20 days" in card
    assert "| expected loss | shortfall an alert | behind the best |" in card
    assert f"Bands of it: watch from {loss.edges.watch:g}" in card


def test_the_reference_is_the_decline_that_is_served_there(bundle: Path) -> None:
    model = OnnxRiskModel(load_bundle(bundle), arena_users=8)
    point = model.reference
    assert point is not None
    rows = from_ages(point.ages.reshape(1, -1))
    features = features_at(rows, np.array([point.silence_ms]))
    answers = model.query(point.hidden.reshape(1, -1).astype(np.float32), features)
    assert answers.decline is not None
    reference = model.bundle.manifest.reference
    assert reference is not None
    assert reference.probability == pytest.approx(float(answers.decline[0]), abs=2e-6)


def test_without_amounts_alerts_go_by_the_probability(tmp_path: Path) -> None:
    bare = [msgspec.structs.replace(event, value=None, items=()) for event in shop_events()]
    made = train_bundle(collect(bare), DECLINE, "tiny", tmp_path / "out", Run())
    manifest = load_bundle(tmp_path / "out").manifest
    assert manifest == made.manifest
    assert manifest.definition == "decline"
    assert manifest.expected_loss is None
    assert manifest.decline is not None
    assert manifest.decline.usual.spend == 0.0
    assert load_policy(None, manifest, 0.0).alert_by == "probability"
    assert "xpected loss" not in model_card(manifest)


@pytest.mark.parametrize("stage", ["first fit: query head", "final fit: query head"])
def test_an_interrupted_training_gives_a_bundle_of_decline(tmp_path: Path, stage: str) -> None:
    interruption = Interruption()
    run = Run(Watch(stage, 0.5, interruption), interruption)
    made = train_bundle(shop(), DECLINE, "tiny", tmp_path / "out", run)
    manifest = load_bundle(tmp_path / "out").manifest
    assert manifest == made.manifest
    assert manifest.interrupted
    assert manifest.definition == "decline"
    assert manifest.expected_loss is not None
    assert manifest.expected_loss.method == "absence"
    assert manifest.expected_loss.methods == ()


def test_decline_and_spend_are_asked_with_the_risk(bundle: Path) -> None:
    model = OnnxRiskModel(load_bundle(bundle), arena_users=8)
    random = np.random.default_rng(0)
    hidden = random.normal(size=(40, model.bundle.manifest.width)).astype(np.float32)
    features = random.normal(size=(40, len(model.bundle.manifest.features))).astype(np.float32)
    answers = model.query(hidden, features)
    decline, spend = answers.decline, answers.spend
    assert decline is not None
    assert spend is not None
    assert ((decline > 0) & (decline < 1)).all()
    assert (spend >= 0).all()
    # Each row's answer is its own, whatever its neighbours.
    alone = model.query(hidden[7:8], features[7:8])
    assert [each[0] for each in alone if each is not None] == [answers.absence[7], decline[7], spend[7]]


def test_less_than_three_windows_are_refused(tmp_path: Path) -> None:
    task = dataclasses.replace(DECLINE, window_ms=(DAYS // 3 + 5) * DAY_MS)
    with pytest.raises(ConfigurationError, match="--definition absence"):
        train_bundle(shop(), task, "tiny", tmp_path / "out", Run())


def visits(gap_days: list[float], days: int) -> Histories:
    """Customers who each come at a pace of their own, from the beginning on."""
    events = [
        Event(f"{user}-{number}", f"u{user}", "purchase", START_MS + round(day * DAY_MS), value=10.0)
        for user, gap in enumerate(gap_days)
        for number, day in enumerate(np.arange(0.0, days, gap).tolist())
    ]
    return collect(events)


def test_customers_who_keep_their_pace_need_no_shop() -> None:
    gaps = [float(gap) for gap in range(2, 14)] * 3
    task = dataclasses.replace(DECLINE, until_ms=START_MS + 200 * DAY_MS, churn_types="purchase")
    found = shop_mean_of(visits(gaps, 200), task, task.until_ms)
    assert found.visit_strength_days == found.spend_strength_days == 0.0
    assert 1 / 13 < found.visit_days < 1 / 2
    assert found.spend == pytest.approx(10.0 * found.visit_days, rel=0.1)


def test_customers_who_are_all_alike_are_the_shop() -> None:
    """Each comes by chance alone, so what is one's own is noise."""
    random = np.random.default_rng(5)
    events = [
        Event(f"{user}-{day}", f"u{user}", "purchase", START_MS + day * DAY_MS, value=5.0)
        for user in range(150)
        for day in range(150)
        if random.random() < 0.1
    ]
    task = dataclasses.replace(DECLINE, until_ms=START_MS + 150 * DAY_MS, churn_types="purchase")
    found = shop_mean_of(collect(events), task, task.until_ms)
    assert found.visit_strength_days == STRENGTHS_DAYS[-1]
    # A little more, as a history begins and ends with a visit.
    assert 0.1 < found.visit_days < 0.13


def test_nobody_with_a_usual_is_refused() -> None:
    task = dataclasses.replace(DECLINE, until_ms=START_MS + 90 * DAY_MS, churn_types="purchase")
    with pytest.raises(ConfigurationError, match="4 days a --window before the end"):
        shop_mean_of(visits([40.0] * 5, 90), task, task.until_ms)
