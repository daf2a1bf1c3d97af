"""The manifest of a bundle that was just trained."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import torch

from models.bundle.export import OPSET
from models.data.examples import Decline
from models.data.histories import Histories
from models.fit.level import Levels
from models.recipe import Task
from models.selection.edges import Edges
from models.selection.validation import Validated
from schemas.bundle.decline import Calibration, DeclineOutputs, UsualInShop
from schemas.bundle.manifest import (
    AlertHeads,
    ChurnDefinition,
    Manifest,
    Reference,
    TokenEncoding,
    TrainingWindow,
)
from schemas.event import EVENT_TYPES
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.core.model.features import FEATURES

_DECIMALS = 5


def manifest_of(
    histories: Histories,
    task: Task,
    name: str,
    validated: Validated,
    levels: Levels,
    decline: Decline | None,
    risk_features: tuple[str, ...],
    edges: Edges,
    reference: Reference,
    alert: AlertHeads | None,
    alert_metrics: Mapping[str, float],
    silence_grid_s: tuple[int, ...],
    *,
    seen_until_ms: int,
    interrupted: bool,
) -> Manifest:
    """All that a worker must know; the files' hashes are still missing.

    ``levels`` are the served network's, which listens to ``risk_features`` and has seen events before
    ``seen_until_ms``.
    """
    size = task.size
    return Manifest(
        name=name,
        version=f"{format_timestamp(task.until_ms)[:10]}.{task.seed}",
        training_window=TrainingWindow(
            from_=format_timestamp(int(histories.times.min())), to=format_timestamp(seen_until_ms)
        ),
        data_fingerprint=histories.fingerprint,
        token_encoding=TokenEncoding(len(EVENT_TYPES), size.category_buckets, size.item_buckets),
        silence_grid_s=silence_grid_s,
        horizon_days=task.horizon_ms / DAY_MS,
        churn_definition=ChurnDefinition(task.churn_types, task.active_ms / DAY_MS),
        definition=task.definition,
        window_days=None if decline is None else decline.window_ms / DAY_MS,
        time_zone=histories.calendar.name,
        band_edges=edges.bands.edges,
        band_alerts_a_week=edges.bands.alerts_a_week,
        window=size.window,
        layers=size.layers,
        width=size.width,
        heads=size.heads,
        exact_tokens=size.rebuild_tokens,
        features=FEATURES,
        risk_features=risk_features,
        calibration=Calibration("platt", tuple(levels.absence)),
        reference=reference,
        decline=_decline(levels, decline),
        expected_loss=edges.loss,
        alert=alert,
        metrics={
            key: round(value, _DECIMALS) for key, value in {**validated.metrics, **alert_metrics}.items()
        },
        variant=validated.variant,
        ablation=validated.ablation,
        interrupted=interrupted,
        sha256={},
        opset=OPSET,
        libraries={
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
        },
    )


def _decline(levels: Levels, decline: Decline | None) -> DeclineOutputs | None:
    if decline is None or levels.decline is None:
        return None
    return DeclineOutputs(
        window_days=decline.window_ms / DAY_MS,
        usual=UsualInShop(*decline.shop),
        calibration=Calibration("platt", tuple(levels.decline)),
        spend_scale=levels.spend,
    )
