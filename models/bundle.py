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

from models.alert_rate import risk_peaks
from models.bands import ALERTS_A_WEEK_PER_USER, Bands, bands_of
from models.calibration import Platt, fit_platt
from models.configuration import Task
from models.drift import steady_features
from models.examples import Examples, cut_moments, label, training_moments
from models.export import OPSET, query_graph, step_graph, write_bundle
from models.golden import golden_vectors
from models.histories import Histories
from models.network import Network
from models.reference import reference_point
from models.training import logits_of, train
from schemas.bundle import (
    QUERY_NAME,
    STEP_NAME,
    Calibration,
    ChurnDefinition,
    Manifest,
    Reference,
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


class Validated(NamedTuple):
    """A calibration and what the validation cuts say of it."""

    platt: Platt
    metrics: dict[str, float]


def train_bundle(histories: Histories, task: Task, name: str, out: Path, report: Report) -> Manifest:
    """Train on the events of ``histories``, all before ``task.until_ms``, and write the bundle ``out``.

    A first network that knows nothing of the last two horizons is judged on the cuts within them, which
    gives the calibration and the manifest's metrics; a second one, trained alike on everything, is served.
    The alerts that it would have brought within the same two horizons say where the bands begin.

    Raises :class:`~schemas.errors.ConfigurationError` where there are too few data.
    """
    _check_enough(histories, task)
    examples = _examples(histories, task, task.until_ms, "dataset", report)
    columns = steady_features(examples)
    validated = validate(histories, columns, task, report)
    network = _fit(histories, examples, columns, task, "network", report)
    bands = _bands(network, validated.platt, histories, task)
    typical = cut_moments(histories, _cuts(task), task.active_ms)
    reference = reference_point(network, validated.platt, histories, typical)
    graphs = {STEP_NAME: step_graph(network), QUERY_NAME: query_graph(network, validated.platt)}
    golden = golden_vectors(network, validated.platt, histories, silence_grid_s())
    return write_bundle(out, _manifest(histories, task, name, validated, bands, reference), graphs, golden)


def validate(histories: Histories, columns: npt.NDArray[np.int64], task: Task, report: Report) -> Validated:
    """Calibrate and judge a network that knows nothing of the last two horizons before ``task.until_ms``."""
    until_ms = task.until_ms - 2 * task.horizon_ms
    earlier = histories.before(until_ms)
    examples = _examples(earlier, task, until_ms, "validation dataset", report)
    network = _fit(earlier, examples, columns, task, "validation network", report)
    moments = cut_moments(histories, _cuts(task), task.active_ms)
    if not len(moments.event):
        raise _nobody_active()
    asked = label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms)
    if len(set(asked.churned.tolist())) < 2:
        raise ConfigurationError(
            "on the validation cuts all users churned or none did: choose another --horizon or --train-until"
        )
    logits = logits_of(network, histories, asked.moments.event, asked.features)
    platt = fit_platt(logits, asked.churned)
    return Validated(platt, judge(asked.churned, platt.probability(logits)))


def _bands(network: Network, platt: Platt, histories: Histories, task: Task) -> Bands:
    """The bands of the network that is served: another one's risks may be spread otherwise."""
    peaks = risk_peaks(
        lambda *asked: platt.probability(logits_of(network, *asked)),
        histories,
        task,
        task.until_ms - 2 * task.horizon_ms,
        1000 * np.array(silence_grid_s()),
    )
    return bands_of(peaks, _alerts_a_week(histories, task))


def _alerts_a_week(histories: Histories, task: Task) -> float:
    """What was asked for, or what the number of active users suggests."""
    if task.alerts_a_week is not None:
        return task.alerts_a_week
    active = len(cut_moments(histories, np.array([task.until_ms]), task.active_ms).event)
    return ALERTS_A_WEEK_PER_USER * active


def _cuts(task: Task) -> npt.NDArray[np.int64]:
    """Moments (epoch ms) whose outcomes are known, and of which the validation network knows nothing."""
    last = task.until_ms - task.horizon_ms
    return np.linspace(last - task.horizon_ms, last, VALIDATION_CUTS).astype(np.int64)


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


def _examples(histories: Histories, task: Task, until_ms: int, stage: str, report: Report) -> Examples:
    moments = training_moments(histories, task, until_ms)
    if not (moments.time_ms > histories.times[moments.event]).any():
        raise _nobody_active()
    total = len(histories.tokens)
    return label(
        histories,
        moments,
        task.horizon_ms,
        task.churn_types,
        until_ms,
        lambda done: report(stage, done, total),
    )


def _fit(
    histories: Histories,
    examples: Examples,
    columns: npt.NDArray[np.int64],
    task: Task,
    stage: str,
    report: Report,
) -> Network:
    recipe = task.recipe
    total = recipe.head_epochs * len(examples.bin) + recipe.sequence_epochs * len(histories.tokens)
    return train(histories, examples, columns, task, lambda done: report(stage, done, total))


def _check_enough(histories: Histories, task: Task) -> None:
    needed = task.until_ms - 3 * task.horizon_ms
    if not len(histories.tokens) or histories.times.min() > needed:
        raise ConfigurationError(
            f"training needs events from before {format_timestamp(needed)}, three horizons before "
            "--train-until: give more data, a later --train-until or a shorter --horizon"
        )


def _nobody_active() -> ConfigurationError:
    return ConfigurationError(
        "no user was active shortly before --train-until: give newer events, or a --train-until within them"
    )


def _manifest(
    histories: Histories,
    task: Task,
    name: str,
    validated: Validated,
    bands: Bands,
    reference: Reference,
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
        silence_grid_s=silence_grid_s(),
        horizon_days=task.horizon_ms / DAY_MS,
        churn_definition=ChurnDefinition(task.churn_types, task.active_ms / DAY_MS),
        time_zone=histories.calendar.name,
        band_edges=bands.edges,
        band_alerts_a_week=bands.alerts_a_week,
        window=size.window,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        exact_tokens=size.rebuild_tokens,
        features=FEATURES,
        calibration=Calibration("platt", tuple(validated.platt)),
        reference=reference,
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
