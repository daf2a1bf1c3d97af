"""Whether the exported graphs, run by ONNX Runtime, give what the network gives in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from models.calibration import Platt
from models.heads.heads import Heads
from models.heads.material import recent_of
from models.histories import Histories, aggregates_at
from models.network import Network
from models.query_head import Query
from models.rebuild import Rebuild
from models.sequences import hidden_after, sequences_of
from models.step import Step
from schemas.bundle import ALERT_NAME, QUERY_NAME, REBUILD_NAME, STEP_NAME
from schemas.errors import BundleError
from streamer.core.features import features_at

TOLERANCE: Final = 1e-5
"""Relative to 1 + the magnitude in torch, as for golden vectors."""

MOST_USERS: Final = 64


@torch.no_grad()
def differences(
    network: Network, platt: Platt, heads: Heads | None, graphs: Mapping[str, bytes], histories: Histories
) -> dict[str, float]:
    """The largest difference of each of ``graphs``, by its name, over the newest events of some users."""
    users = np.linspace(0, histories.users - 1, min(histories.users, MOST_USERS)).astype(np.int64)
    newest = histories.starts[users + 1] - 1
    inputs = _inputs(network, histories, newest)
    modules: dict[str, nn.Module] = {
        STEP_NAME: Step(network.transformer),
        REBUILD_NAME: Rebuild(network.transformer),
        QUERY_NAME: Query(network.head, platt.slope, platt.intercept),
    }
    if heads is not None:
        modules[ALERT_NAME] = heads
    return {name: _difference(modules[name].eval(), graph, inputs) for name, graph in graphs.items()}


def check_agreement(found: Mapping[str, float]) -> None:
    """Raise :class:`~schemas.errors.BundleError` unless all :func:`differences` are small."""
    name, worst = max(found.items(), key=lambda item: item[1])
    if not worst <= TOLERANCE:
        raise BundleError(
            f"{name} differs from the trained network by {worst:.2g}, more than {TOLERANCE:g}, in ONNX "
            f"Runtime {onnxruntime.__version__}: install the locked versions of torch, onnx and onnxruntime, "
            "and train again."
        )


def _inputs(network: Network, histories: Histories, newest: npt.NDArray[np.int64]) -> dict[str, Tensor]:
    """What the graphs are given after the events ``newest``, by the name of the input."""
    size = network.transformer.size
    sequences, length = sequences_of(histories, size), size.rebuild_tokens
    user = np.searchsorted(histories.starts, newest, side="right") - 1
    held = newest - histories.starts[user] + 1
    ages = np.arange(length - 1, -1, -1)
    at = torch.from_numpy(np.where(ages < held[:, np.newaxis], newest[:, np.newaxis] - ages, 0))
    features = features_at(aggregates_at(histories, newest), histories.times[newest].astype(np.float64))
    return {
        "codes": sequences.codes[at],
        "numbers": sequences.numbers[at],
        "count": torch.from_numpy(np.minimum(held, length)),
        "position": torch.from_numpy(held - 1),
        "hidden": hidden_after(network.transformer, sequences, newest),
        "features": torch.from_numpy(features),
        "recent": recent_of(histories, newest, size),
    }


def _difference(module: nn.Module, graph: bytes, inputs: Mapping[str, Tensor]) -> float:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    given = _of_step(cast(Step, module), inputs) if "arena" in names else inputs
    expected = module(*(given[name] for name in names))
    found = cast(
        list[npt.NDArray[np.float32]], session.run(None, {name: given[name].numpy() for name in names})
    )
    outputs = [expected] if isinstance(expected, Tensor) else list(expected)
    return max(
        float((np.abs(there - here.numpy()) / (1.0 + np.abs(here.numpy()))).max())
        for here, there in zip(outputs, found, strict=True)
    )


def _of_step(step: Step, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A step onto the caches of those before: each user's newest event again, in a cache of its own."""
    rebuild = Rebuild(step.transformer).eval()
    _, arena = rebuild(*(inputs[name] for name in ("codes", "numbers", "count", "position")))
    return {
        "codes": inputs["codes"][:, -1],
        "numbers": inputs["numbers"][:, -1],
        "position": inputs["position"] + 1,
        "slot": torch.arange(len(arena)),
        "arena": arena,
    }
