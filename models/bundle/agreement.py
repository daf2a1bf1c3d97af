"""Whether the exported graphs, run by ONNX Runtime, give what the network gives in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from models.data.histories import Histories, aggregates_at
from models.fit.level import Levels
from models.heads.heads import Heads
from models.heads.material import recent_of
from models.network.network import Network
from models.network.query_head import Query
from models.network.rebuild import Rebuild
from models.network.sequences import hidden_after, sequences_of
from models.network.step import Step
from schemas.bundle.manifest import ALERT_NAME, ARENA_REBUILD_NAMES, ARENA_STEP_NAMES, QUERY_NAME, STEP_NAME
from schemas.bundle.shared_weights import with_weights
from schemas.errors import BundleError
from streamer.core.model.features import features_at

_TOLERANCE: Final = 1e-5
_FP16_TOLERANCE: Final = 1e-3
_AMOUNT_TOLERANCE: Final = 1e-4

MOST_USERS: Final = 64

_TYPES: Final = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(int64)": torch.int64,
}


@torch.no_grad()
def differences(
    network: Network, levels: Levels, heads: Heads | None, graphs: Mapping[str, bytes], histories: Histories
) -> dict[str, float]:
    """The largest difference of each of ``graphs``, by its name, over the newest events of some users."""
    users = np.linspace(0, histories.users - 1, min(histories.users, MOST_USERS)).astype(np.int64)
    newest = histories.starts[users + 1] - 1
    inputs = _inputs(network, histories, newest)
    modules: dict[str, nn.Module] = {
        **{name: Step(network.transformer) for name in ARENA_STEP_NAMES.values()},
        **{name: Rebuild(network.transformer) for name in ARENA_REBUILD_NAMES.values()},
        QUERY_NAME: Query(network.head, *levels),
    }
    if heads is not None:
        modules[ALERT_NAME] = heads
    lacking = {*ARENA_STEP_NAMES.values(), *ARENA_REBUILD_NAMES.values()}
    complete = {
        name: with_weights(graph, graphs[STEP_NAME]) if name in lacking else graph
        for name, graph in graphs.items()
        if name != STEP_NAME
    }
    return {name: _difference(modules[name].eval(), graph, inputs) for name, graph in complete.items()}


def tolerance(name: str) -> float:
    """What the graph ``name`` may differ by, relative to 1 + the magnitude in torch, as for golden vectors.

    Over an arena in fp16 more: what differs in the last bit may be rounded to neighbouring numbers. More also
    where amounts are told, which are exponentials of sums and multiply their rounding.
    """
    if name in (ARENA_STEP_NAMES["fp16"], ARENA_REBUILD_NAMES["fp16"]):
        return _FP16_TOLERANCE
    return _AMOUNT_TOLERANCE if name in (QUERY_NAME, ALERT_NAME) else _TOLERANCE


def check_agreement(found: Mapping[str, float]) -> None:
    """Raise :class:`~schemas.errors.BundleError` unless all :func:`differences` are small."""
    name, worst = max(found.items(), key=lambda item: item[1] / tolerance(item[0]))
    if not worst <= tolerance(name):
        raise BundleError(
            f"{name} differs from the trained network by {worst:.2g}, more than {tolerance(name):g}, in ONNX "
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
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # not every graph needs every weight that is shared
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    given = _over_arena(module, inputs) if isinstance(module, Step | Rebuild) else inputs
    nodes = session.get_inputs()
    asked = [given[node.name].to(_TYPES[node.type]) for node in nodes]
    expected = module(*asked)
    feed = {node.name: tensor.numpy() for node, tensor in zip(nodes, asked, strict=True)}
    found = cast(list[npt.NDArray[np.floating]], session.run(None, feed))
    outputs = [expected] if isinstance(expected, Tensor) else list(expected)
    return max(
        float((np.abs(there - here.numpy()) / (1.0 + np.abs(here.numpy()))).max())
        for here, there in zip(outputs, found, strict=True)
    )


def _over_arena(module: Step | Rebuild, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every user in a slot: empty ones for a rebuild; for a step rebuilt ones, and the newest event again."""
    size = module.transformer.size
    users = len(inputs["count"])
    empty = [torch.zeros(users * 2 * size.window, size.width) for _ in range(size.layers)]
    given = {**inputs, "slot": torch.arange(users)}
    arenas = empty
    if isinstance(module, Step):
        rebuild = Rebuild(module.transformer).eval()
        tokens = (given[name] for name in ("codes", "numbers", "count", "position", "slot"))
        _, *arenas = rebuild(*tokens, *empty)
        given["codes"], given["numbers"] = inputs["codes"][:, -1], inputs["numbers"][:, -1]
        given["position"] = inputs["position"] + 1
        by_layer = [arena.reshape(users, 2, size.window, size.width) for arena in arenas]
        given["arena"] = torch.stack(by_layer, dim=1)
    return {**given, **{f"arena_{layer}": arena for layer, arena in enumerate(arenas)}}
