"""A bundle's model card: what the model is for, what it learnt from, and how far it may be trusted.

After Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from schemas.bundle.bands import BandAlerts, BandAmounts, BandEdges
from schemas.bundle.decline import ExpectedLoss, LossMethod
from schemas.bundle.manifest import Manifest, VariantFigures
from streamer.core.history.usual import LEAST_VISIT_DAYS
from streamer.core.insights.activity import SEGMENTS

FIGURES: Final = ("auroc", "pr_auc", "log_loss", "brier", "ece")
NAMES: Final = {"auroc": "AUROC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier", "ece": "ECE"}

_SERVED: Final = {
    "aggregates": "running aggregates of the whole history alone",
    "sequence": "the newest actions as a sequence, and the silence since",
    "both": "running aggregates of the whole history and the newest actions as a sequence",
}

_METHODS: Final[Mapping[LossMethod, str]] = {
    "decline": "the probability of a decline times the usual spend of the window",
    "absence": "the probability of absence times the usual spend of the window",
    "spend": "the usual spend of the window less what is expected to be spent",
}


def model_card(manifest: Manifest) -> str:
    """The card as Markdown; it says no more than the manifest knows."""
    return "\n".join([*_purpose(manifest), *_data(manifest), *_figures(manifest), *_limits(manifest)])


def _purpose(manifest: Manifest) -> Iterator[str]:
    event = "a purchase" if manifest.churn_definition.types == "purchase" else "any event"
    yield f"# {manifest.name} {manifest.version}"
    yield ""
    if manifest.definition == "decline":
        yield (
            "The probability that a customer comes on fewer than half of the own usual days within the next "
            f"{manifest.risk_days:g} days, and what is spent in them, for customers with a usual: "
            f"{LEAST_VISIT_DAYS} days with {event} at least. Beside it:"
        )
        yield ""
    yield (
        f"The probability that a customer stays without {event} for the next {manifest.horizon_days:g} days, "
        f"asked at any moment of silence. Made for customers with an event in the last "
        f"{manifest.churn_definition.active_days:g} days, to decide whom to win back; it says nothing of why "
        "in a sense of causes, nor whom a treatment would move."
    )
    yield ""
    if manifest.variant is not None:
        yield f"Served: {_SERVED[manifest.variant]}."
    yield (
        f"Network: {manifest.layers} layers of width {manifest.width}, {manifest.heads} heads, a window of "
        f"{manifest.window} events; {len(manifest.features)} features; calibration: "
        f"{manifest.calibration.method}."
    )
    unheard = [name for name in manifest.features if name not in manifest.risk_features]
    if manifest.risk_features and unheard:
        yield f"Features without a say in risk: {', '.join(unheard)}."
    yield ""


def _data(manifest: Manifest) -> Iterator[str]:
    window = manifest.training_window
    yield "## Data"
    yield ""
    yield f"Events from {window.from_} to before {window.to}, days in {manifest.time_zone}."
    yield f"Fingerprint (SHA-256): `{manifest.data_fingerprint}`."
    if manifest.interrupted:
        yield ""
        yield "**Training was ended early by hand**: the network is that of the first fit, as far as it came."
    yield ""


def _figures(manifest: Manifest) -> Iterator[str]:
    metrics = manifest.metrics
    yield "## Figures"
    yield ""
    yield (
        "On cuts within the last two horizons of the data, by a fit that knew nothing of them, for customers "
        "active then. Calibrated there on the same cuts, which flatters ECE."
    )
    yield ""
    yield f"| customers | n | churn | {' | '.join(NAMES[name] for name in FIGURES)} |"
    yield f"|---|---|---|{'---|' * len(FIGURES)}"
    for title, prefix in (("all", ""), *((segment, f"{segment}_") for segment in SEGMENTS)):
        if f"validation_{prefix}n" in metrics:
            yield f"| {title} | {_row(metrics, f'validation_{prefix}')} |"
    yield ""
    yield (
        "New: fewer than three days with an event of the kind; lapsing: without one for more than twice "
        "their own mean gap; regular: the rest. Where the figures of one group are worse, trust its alerts "
        "less; the base rates say how differently the groups leave."
    )
    yield ""
    if manifest.ablation:
        yield from _ablation(manifest.ablation)
    if "next_type_perplexity" in metrics:
        category = metrics.get("next_category_perplexity")
        category_part = "" if category is None else f", of the category {category:.2f}"
        yield (
            "Next action, customers held out: perplexity of the type "
            f"{metrics['next_type_perplexity']:.3f}{category_part}."
        )
        yield ""
    if manifest.decline is not None and "validation_decline_auroc" in metrics:
        count, share, auroc, brier = (
            metrics[f"validation_decline_{name}"] for name in ("n", "base_rate", "auroc", "brier")
        )
        yield (
            f"Decline, fewer than half of the usual visit days within {manifest.decline.window_days:g} days: "
            f"n {count:.0f}, of whom {share:.3f} declined, AUROC {auroc:.4f}, Brier {brier:.4f}."
        )
        yield ""
    if manifest.band_alerts_a_week is not None:
        yield _bands("Bands", manifest.band_edges, manifest.band_alerts_a_week)
        yield ""
    if manifest.expected_loss is not None:
        yield from _losses(manifest.expected_loss)


def _losses(loss: ExpectedLoss) -> Iterator[str]:
    yield f"Expected loss: {_METHODS[loss.method]}, times {loss.scale:g}, as known outcomes have it."
    if loss.alerts_a_week is not None:
        yield _bands("Bands of it", loss.edges, loss.alerts_a_week)
    yield ""
    if loss.methods:
        yield "| expected loss | shortfall an alert | behind the best |"
        yield "|---|---|---|"
        for one in loss.methods:
            behind = f"{one.behind:,.2f} ± {one.behind_error:,.2f}"
            yield f"| {_METHODS[one.method]} | {one.shortfall:,.2f} | {behind} |"
        yield ""
        yield (
            "Shortfall: usual spend at the shop's level less actual spend, of customers who would have been "
            "raised. A method is served instead of a simpler one only for a gain of more than two standard "
            "errors."
        )
        yield ""


def _bands(title: str, edges: BandEdges | BandAmounts, alerts: BandAlerts) -> str:
    return (
        f"{title}: watch from {edges.watch:g} ({alerts.watch:g} alerts a week on these data), high from "
        f"{edges.high:g} ({alerts.high:g}), critical from {edges.critical:g} ({alerts.critical:g})."
    )


def _ablation(ablation: tuple[VariantFigures, ...]) -> Iterator[str]:
    yield "| variant | seeds | AUROC | log loss | behind the best in log loss |"
    yield "|---|---|---|---|---|"
    for one in ablation:
        yield (
            f"| {one.variant} | {one.seeds} | {one.auroc:.4f} | {one.log_loss:.4f} | "
            f"{one.behind:.5f} ± {one.behind_error:.5f} |"
        )
    yield ""
    yield "A variant is served instead of a simpler one only for a gain of more than two standard errors."
    yield ""


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "- It learnt from one shop and one stretch of time: a sale or a season may shift risks."
    yield (
        "- Customers who were given a treatment look as if they had come back by themselves; keep a holdout "
        "before training on data in which alerts were acted upon."
    )
    yield (
        f"- Silences beyond {manifest.silence_grid_s[-1] // 86_400} days, and customers not active within "
        f"{manifest.churn_definition.active_days:g} days, were not judged."
    )
    yield "- It sees actions and no attribute of a person, so fairness was checked by activity alone."
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items()))
    yield f"Made with {versions}; ONNX opset {manifest.opset}."
    yield ""


def _row(metrics: Mapping[str, float], prefix: str) -> str:
    def cell(name: str) -> str:
        value = metrics.get(prefix + name)
        return "-" if value is None else f"{value:.4f}"

    return f"{metrics[prefix + 'n']:,.0f} | {cell('base_rate')} | " + " | ".join(map(cell, FIGURES))
