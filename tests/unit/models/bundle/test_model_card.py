"""The card says what the manifest knows, and no more."""

from __future__ import annotations

import msgspec

from models.bundle.model_card import model_card
from schemas.bundle.bands import BandAlerts
from schemas.bundle.manifest import VariantFigures
from tests.demo_messages import manifest


def test_a_card_of_a_manifest_without_figures_makes_none_up() -> None:
    card = model_card(manifest())
    assert "without a purchase for the next 28 days" in card
    assert "| all |" not in card
    assert "perplexity" not in card
    assert "Bands" not in card


def test_a_card_shows_figures_by_activity_the_ablation_and_the_bands() -> None:
    figures = VariantFigures(
        variant="aggregates",
        seeds=3,
        auroc=0.86,
        pr_auc=0.5,
        log_loss=0.28,
        brier=0.09,
        ece=0.01,
        behind=0.0001,
        behind_error=0.0002,
    )
    metrics = {
        "validation_n": 1000.0,
        "validation_base_rate": 0.125,
        "validation_auroc": 0.86,
        "validation_new_n": 100.0,
        "validation_new_base_rate": 1.0,
        "next_type_perplexity": 2.5,
    }
    card = model_card(
        msgspec.structs.replace(
            manifest(),
            metrics=metrics,
            ablation=(figures,),
            variant="aggregates",
            band_alerts_a_week=BandAlerts(50, 25, 12.5),
            interrupted=True,
            features=("silence", "tenure"),
            risk_features=("silence",),
        )
    )
    assert "| all | 1,000 | 0.1250 | 0.8600 | - |" in card
    assert "| new | 100 | 1.0000 | - | - |" in card
    assert "| regular |" not in card
    assert "| aggregates | 3 | 0.8600 | 0.2800 | 0.00010 ± 0.00020 |" in card
    assert "perplexity of the type 2.500." in card
    assert "(50 alerts a week on these data)" in card
    assert "ended early by hand" in card
    assert "Features without a say in risk: tenure." in card
