"""Writing a bundle: its graphs, golden vectors and the manifest."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn
from torch.export import Dim

from models.bundle.graph_edits import in_fp32, shared_weights, without_shared, without_traces
from models.bundle.model_card import model_card
from models.fit.level import Levels
from models.heads.heads import Heads
from models.network.network import Network
from models.network.query_head import Query
from models.network.rebuild import Rebuild
from models.network.step import Step
from schemas.bundle.golden import Golden, encode_golden
from schemas.bundle.manifest import (
    ALERT_NAME,
    ARENA_REBUILD_NAMES,
    ARENA_STEP_NAMES,
    CARD_NAME,
    GOLDEN_NAME,
    MANIFEST_NAME,
    QUERY_NAME,
    STEP_NAME,
    Manifest,
    encode_manifest,
)
from streamer.core.model.features import FEATURES
from streamer.core.model.transformer_inputs import NUMBERS

OPSET: Final = 20

_USERS: Final = Dim("users", min=1, max=1 << 20)
_SLOTS: Final = Dim("slots", min=1, max=1 << 24)


def transformer_graphs(network: Network) -> dict[str, bytes]:
    """The ONNX graphs of one event a user and of all of a user's last tokens, over arenas of each precision.

    See :class:`~models.network.step.Step` and :class:`~models.network.rebuild.Rebuild`, with inputs
    ``arena_0`` to the last layer's and outputs ``written_0`` likewise. The weights that they share lie in a
    graph of their own, ``STEP_NAME``.
    """
    size = network.transformer.size
    layers = range(size.layers)
    rows = 2 * size.window * _SLOTS
    tokens = (
        torch.zeros(3, size.rebuild_tokens, 3, dtype=torch.int64),
        torch.zeros(3, size.rebuild_tokens, len(NUMBERS)),
        torch.ones(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int64),
    )
    graphs: dict[str, bytes] = {}
    for names, module, example, inputs in (
        (ARENA_STEP_NAMES, Step, _one_event(3), ("codes", "numbers", "position", "slot")),
        (ARENA_REBUILD_NAMES, Rebuild, tokens, ("codes", "numbers", "count", "position", "slot")),
    ):
        shape = (5 * 2 * size.window, size.width)
        complete = _graph(
            module(network.transformer),
            (*example, *(torch.zeros(shape, dtype=torch.float16) for _ in layers)),
            dict.fromkeys(inputs, _USERS),
            ("hidden", *(f"written_{layer}" for layer in layers)),
            {f"arena_{layer}": rows for layer in layers},
        )
        weights = graphs.setdefault(STEP_NAME, shared_weights(complete))
        graph = without_shared(complete, weights)
        graphs |= {names["fp16"]: graph, names["fp32"]: in_fp32(graph)}
    return graphs


def query_graph(network: Network, levels: Levels) -> bytes:
    """The ONNX graph of risk; see :class:`~models.network.query_head.Query` for its inputs and outputs."""
    queries = Dim("queries", min=1, max=1 << 24)
    example = (torch.zeros(3, network.transformer.size.width), torch.zeros(3, len(FEATURES)))
    outputs = ("probability",) if levels.decline is None else ("probability", "decline", "spend")
    return _graph(Query(network.head, *levels), example, {"hidden": queries, "features": queries}, outputs)


def alert_graph(network: Network, heads: Heads) -> bytes:
    """The ONNX graph of what alerts tell of the future; see :class:`~models.heads.heads.Heads`."""
    size = network.transformer.size
    example = (
        torch.zeros(3, size.width),
        torch.zeros(3, len(FEATURES)),
        torch.zeros(3, size.rebuild_tokens, 2, dtype=torch.int64),
    )
    inputs: dict[str, Any] = dict.fromkeys(("hidden", "features", "recent"), _USERS)
    return _graph(heads, example, inputs, ("spend", "types", "categories"))


def write_bundle(path: Path, manifest: Manifest, graphs: Mapping[str, bytes], golden: Golden) -> Manifest:
    """Write the bundle into the folder ``path``; returns ``manifest`` with the files' hashes in it."""
    files = {**graphs, GOLDEN_NAME: encode_golden(golden), CARD_NAME: model_card(manifest).encode()}
    arena = {*ARENA_STEP_NAMES.values(), *ARENA_REBUILD_NAMES.values()}
    assert set(graphs) - {ALERT_NAME} == {STEP_NAME, QUERY_NAME, *arena}
    hashes = {name: sha256(data).hexdigest() for name, data in files.items()}
    complete = msgspec.structs.replace(manifest, sha256=hashes)
    path.mkdir(parents=True, exist_ok=True)
    for name, data in {**files, MANIFEST_NAME: encode_manifest(complete)}.items():
        (path / name).write_bytes(data)
    return complete


def _one_event(users: int) -> tuple[Tensor, ...]:
    """An example of codes, numbers, positions and slots."""
    return (
        torch.zeros(users, 3, dtype=torch.int64),
        torch.zeros(users, len(NUMBERS)),
        torch.zeros(users, dtype=torch.int64),
        torch.zeros(users, dtype=torch.int64),
    )


def _graph(
    module: nn.Module,
    example: Sequence[Tensor],
    batch: Mapping[str, Any],
    outputs: Sequence[str],
    arenas: Mapping[str, Any] | None = None,
) -> bytes:
    """Export ``module``; ``batch`` names its inputs and the free first dimension of each.

    ``arenas`` does so for the inputs of a module that takes any number of them behind the others.
    """
    shapes: list[Any] = [{0: dimension} for dimension in batch.values()]
    if arenas is not None:
        shapes.append(tuple({0: dimension} for dimension in arenas.values()))
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                tuple(example),
                dynamo=True,
                opset_version=OPSET,
                input_names=[*batch, *(arenas or ())],
                output_names=list(outputs),
                dynamic_shapes=tuple(shapes),
                verbose=False,
            )
            assert program is not None
            file = Path(folder) / "graph.onnx"
            program.save(file, external_data=False)
            return without_traces(file.read_bytes())
    finally:
        quiet.setLevel(level)
