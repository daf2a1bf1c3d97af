"""From events to a bundle: dataset, validation fit for the calibration, final fit, export."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch

from models.calibration import Platt, fit_platt
from models.configuration import Task
from models.examples import cut_moments, label, training_moments
from models.export import OPSET, query_graph, step_graph, write_bundle
from models.golden import golden_vectors
from models.histories import Histories
from models.network import Network
from models.training import logits_of, train
from schemas.bundle import (
    QUERY_NAME,
    STEP_NAME,
    BandEdges,
    Calibration,
    ChurnDefinition,
    Manifest,
    TokenEncoding,
    TrainingWindow,
)
from schemas.errors import ConfigurationError
from schemas.event import EVENT_TYPES
from schemas.timestamps import format_timestamp
from streamer.core import metrics
from streamer.core.aggregates import DAY_MS
from streamer.core.features import FEATURES

Report = Callable[[str, int, int], None]
"""``(stage, units just done, units in all)``: how training gets on."""

VALIDATION_CUTS: Final = 5
GRID_STEPS: Final = 13
LONGEST_SILENCE_DAYS: Final = 100.0
EDGES: Final = BandEdges(watch=0.5, high=0.65, critical=0.8)


class Validated(NamedTuple):
    """A calibration and what the validation cuts say of it."""

    platt: Platt
    metrics: dict[str, float]


def train_bundle(histories: Histories, task: Task, name: str, out: Path, report: Report) -> Manifest:
    """Train on the events of ``histories``, all before ``task.until_ms``, and write the bundle ``out``.

    A first network that knows nothing of the last two horizons is judged on the cuts within them, which
    gives the calibration and the manifest's metrics; a second one, trained alike on everything, is served.

    Raises :class:`~schemas.errors.ConfigurationError` where there are too few data.
    """
    _check_enough(histories, task)
    validated = validate(histories, task, report)
    network = _fit(histories, task, task.until_ms, "train", report)
    grid = silence_grid_s()
    graphs = {STEP_NAME: step_graph(network), QUERY_NAME: query_graph(network, validated.platt)}
    golden = golden_vectors(network, validated.platt, histories, grid)
    return write_bundle(out, _manifest(histories, task, name, validated, grid), graphs, golden)


def validate(histories: Histories, task: Task, report: Report) -> Validated:
    """Calibrate and judge a network that was trained without the last two horizons before ``task.until_ms``."""
    until_ms = task.until_ms - 2 * task.horizon_ms
    network = _fit(histories.before(until_ms), task, until_ms, "validate", report)
    cuts = np.linspace(until_ms, task.until_ms - task.horizon_ms, VALIDATION_CUTS).astype(np.int64)
    moments = cut_moments(histories, cuts, task.active_ms)
    examples = label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms)
    logits = logits_of(network, histories, examples)
    if len(set(examples.churned.tolist())) < 2:
        raise ConfigurationError(
            "on the validation cuts all users churned or none did: choose another horizon or --train-until"
        )
    platt = fit_platt(logits, examples.churned)
    return Validated(platt, judge(examples.churned, platt.probability(logits)))


def judge(labels: npt.NDArray[np.float32], risks: npt.NDArray[np.float64]) -> dict[str, float]:
    """The figures by which a bundle is known."""
    return {
        "n": float(len(labels)),
        "base_rate": float(labels.mean()),
        "auroc": metrics.auroc(labels, risks),
        "pr_auc": metrics.pr_auc(labels, risks),
        "log_loss": metrics.log_loss(labels, risks),
        "brier": metrics.brier(labels, risks),
        "ece": metrics.ece(labels, risks),
    }


def silence_grid_s() -> tuple[int, ...]:
    """Silences at which a risk curve is asked, in seconds: log-spaced from a day to a hundred."""
    days = np.geomspace(1.0, LONGEST_SILENCE_DAYS, GRID_STEPS)
    return tuple(3600 * round(24 * float(day)) for day in days)


def _fit(histories: Histories, task: Task, until_ms: int, stage: str, report: Report) -> Network:
    moments = training_moments(histories, task, task.recipe, until_ms)
    events, epochs = len(histories.tokens), task.recipe
    total = events + epochs.head_epochs * len(moments.event) + epochs.sequence_epochs * events
    folded = label(
        histories,
        moments,
        task.horizon_ms,
        task.churn_types,
        until_ms,
        lambda done: report(stage, done, total),
    )

    def advance(done: int) -> None:
        report(stage, done, total)

    return train(histories, folded, task, advance, advance)


def _check_enough(histories: Histories, task: Task) -> None:
    needed = task.until_ms - 3 * task.horizon_ms
    if not len(histories.tokens) or histories.times.min() > needed:
        raise ConfigurationError(
            f"training needs events from before {format_timestamp(needed)} on: three horizons before --train-until; "
            "give more data, a later --train-until or a shorter --horizon"
        )


def _manifest(
    histories: Histories, task: Task, name: str, validated: Validated, grid: tuple[int, ...]
) -> Manifest:
    size = task.size
    return Manifest(
        name=name,
        version=f"{format_timestamp(task.until_ms)[:10]}.{task.seed}",
        training_window=TrainingWindow(
            from_=format_timestamp(int(histories.times.min())), to=format_timestamp(task.until_ms)
        ),
        data_fingerprint=histories.fingerprint,
        token_encoding=TokenEncoding(len(EVENT_TYPES), size.category_buckets, size.item_buckets),
        silence_grid_s=grid,
        horizon_days=task.horizon_ms / DAY_MS,
        churn_definition=ChurnDefinition(task.churn_types, task.active_ms / DAY_MS),
        time_zone="UTC",
        band_edges=EDGES,
        window=size.window,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        exact_tokens=size.rebuild_tokens,
        features=FEATURES,
        calibration=Calibration("platt", tuple(validated.platt)),
        metrics={f"validation_{key}": round(value, 5) for key, value in validated.metrics.items()},
        sha256={},
        opset=OPSET,
        libraries={
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "onnx": onnx.__version__,
            "numpy": np.__version__,
        },
    )
