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
import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from models.calibration import Platt
from models.heads.heads import Heads
from models.model_card import model_card
from models.network import Network
from models.query_head import Query
from models.rebuild import Rebuild
from models.step import Step
from schemas.bundle import (
    ALERT_NAME,
    CARD_NAME,
    GOLDEN_NAME,
    MANIFEST_NAME,
    QUERY_NAME,
    REBUILD_NAME,
    STEP_NAME,
    Manifest,
    encode_manifest,
)
from schemas.golden import Golden, encode_golden
from streamer.core.features import FEATURES
from streamer.core.transformer_inputs import NUMBERS

OPSET: Final = 20


def step_graph(network: Network) -> bytes:
    """The ONNX graph of one event a user; see :class:`~models.step.Step` for its inputs and outputs."""
    size = network.transformer.size
    users, slots = Dim("users", min=1, max=1 << 20), Dim("slots", min=1, max=1 << 24)
    example = (
        torch.zeros(3, 3, dtype=torch.int64),
        torch.zeros(3, len(NUMBERS)),
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(5, size.layers, 2, size.window, size.width),
    )
    return _graph(
        Step(network.transformer),
        example,
        {"codes": users, "numbers": users, "position": users, "slot": users, "arena": slots},
        ("hidden", "rows"),
    )


def query_graph(network: Network, platt: Platt) -> bytes:
    """The ONNX graph of risk; see :class:`~models.query_head.Query` for its inputs and output."""
    queries = Dim("queries", min=1, max=1 << 24)
    example = (torch.zeros(3, network.transformer.size.width), torch.zeros(3, len(FEATURES)))
    query = Query(network.head, platt.slope, platt.intercept)
    return _graph(query, example, {"hidden": queries, "features": queries}, ("probability",))


def rebuild_graph(network: Network) -> bytes:
    """The ONNX graph of all of a user's last tokens; see :class:`~models.rebuild.Rebuild`."""
    size = network.transformer.size
    users = Dim("users", min=1, max=1 << 20)
    example = (
        torch.zeros(3, size.rebuild_tokens, 3, dtype=torch.int64),
        torch.zeros(3, size.rebuild_tokens, len(NUMBERS)),
        torch.ones(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int64),
    )
    return _graph(
        Rebuild(network.transformer),
        example,
        {"codes": users, "numbers": users, "count": users, "position": users},
        ("hidden", "cache"),
    )


def alert_graph(network: Network, heads: Heads) -> bytes:
    """The ONNX graph of what alerts tell of the future; see :class:`~models.heads.heads.Heads`."""
    size = network.transformer.size
    users = Dim("users", min=1, max=1 << 20)
    example = (
        torch.zeros(3, size.width),
        torch.zeros(3, len(FEATURES)),
        torch.zeros(3, size.rebuild_tokens, 2, dtype=torch.int64),
    )
    inputs = {"hidden": users, "features": users, "recent": users}
    return _graph(heads, example, inputs, ("spend", "types", "categories"))


def write_bundle(path: Path, manifest: Manifest, graphs: Mapping[str, bytes], golden: Golden) -> Manifest:
    """Write the bundle into the folder ``path``; returns ``manifest`` with the files' hashes in it."""
    files = {**graphs, GOLDEN_NAME: encode_golden(golden), CARD_NAME: model_card(manifest).encode()}
    assert set(graphs) - {ALERT_NAME} == {STEP_NAME, QUERY_NAME, REBUILD_NAME}
    hashes = {name: sha256(data).hexdigest() for name, data in files.items()}
    complete = msgspec.structs.replace(manifest, sha256=hashes)
    path.mkdir(parents=True, exist_ok=True)
    for name, data in {**files, MANIFEST_NAME: encode_manifest(complete)}.items():
        (path / name).write_bytes(data)
    return complete


def _graph(
    module: nn.Module, example: Sequence[Tensor], batch: Mapping[str, Any], outputs: Sequence[str]
) -> bytes:
    """Export ``module``; ``batch`` names its inputs and the free first dimension of each."""
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
                input_names=list(batch),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: dimension} for dimension in batch.values()),
                verbose=False,
            )
            assert program is not None
            program.optimize()
            file = Path(folder) / "graph.onnx"
            program.save(file, external_data=False)
            return without_traces(file.read_bytes())
    finally:
        quiet.setLevel(level)


def without_traces(graph: bytes) -> bytes:
    """``graph`` without the exporter's notes, which hold stack traces with paths of the machine."""
    model = onnx.load_from_string(graph)
    model.ClearField("doc_string")
    del model.metadata_props[:]
    for part in (model.graph, *model.functions):
        part.ClearField("doc_string")
        del part.metadata_props[:]
        for item in (*part.node, *part.value_info):
            item.ClearField("doc_string")
            del item.metadata_props[:]
    for item in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        item.ClearField("doc_string")
        del item.metadata_props[:]
    return model.SerializeToString(deterministic=True)
