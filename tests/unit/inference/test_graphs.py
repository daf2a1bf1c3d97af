"""The graphs: they agree with torch, with each other to the bit, and cost what they may cost."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from models.bundle.agreement import check_agreement, differences, tolerance
from schemas.bundle.manifest import (
    ALERT_NAME,
    ARENA_REBUILD_NAMES,
    ARENA_STEP_NAMES,
    GOLDEN_NAME,
    MANIFEST_NAME,
    QUERY_NAME,
    STEP_NAME,
    ArenaPrecision,
)
from schemas.bundle.shared_weights import with_weights
from schemas.errors import BundleError
from streamer.core.history.aggregates import empty, fold
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array
from streamer.core.model.features import features_at
from streamer.core.model.transformer_inputs import TransformerInputs
from streamer.inference.bundle import load_bundle
from streamer.inference.graphs.transformer_graphs import without_rebuild
from streamer.inference.key_values.arena_cache import ArenaCache
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import Shopper, rewrite
from tests.graphs_bundle import LEVELS, graphs_bundle, loaded

RING = 63
IN_ARENA = [*ARENA_STEP_NAMES.values(), *ARENA_REBUILD_NAMES.values()]
PRECISIONS: list[ArenaPrecision] = ["fp32", "fp16"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    return Path(shutil.copytree(graphs_bundle().path, tmp_path / "bundle"))


def shoppers(lengths: Sequence[int]) -> list[Shopper]:
    made = [Shopper(f"u{number}", np.random.default_rng([3, number])) for number in range(len(lengths))]
    for shopper, length in zip(made, lengths, strict=True):
        for _ in range(length):
            shopper.happen(RING)
    return made


def test_torch_and_onnx_agree_on_every_graph() -> None:
    made = graphs_bundle()
    found = differences(made.network, LEVELS, made.heads, made.graphs, made.histories)
    assert found.keys() == {QUERY_NAME, ALERT_NAME, *IN_ARENA}
    check_agreement(found)
    with pytest.raises(BundleError, match=r"alert\.onnx differs from the trained network"):
        check_agreement({**found, ALERT_NAME: 1e-3})


@pytest.mark.parametrize("name", [STEP_NAME, QUERY_NAME, ALERT_NAME, *IN_ARENA])
def test_a_graph_of_other_weights_is_noticed(name: str) -> None:
    made = graphs_bundle()
    model = onnx.load_from_string(made.graphs[name])
    longest = max(model.graph.initializer, key=lambda weights: math.prod(weights.dims))
    changed = onnx.numpy_helper.to_array(longest) * 1.1
    longest.CopyFrom(onnx.numpy_helper.from_array(changed.astype(np.float32), longest.name))
    graphs = {**made.graphs, name: model.SerializeToString()}
    found = differences(made.network, LEVELS, made.heads, graphs, made.histories)
    # The graphs of an arena have no weights of their own, only what is made of them.
    differing = set(IN_ARENA) if name == STEP_NAME else {name}
    assert {other for other, difference in found.items() if difference > tolerance(other)} == differing


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rebuilding_in_one_run_gives_the_bits_of_stepping(precision: ArenaPrecision) -> None:
    bundle = loaded(precision)
    assert bundle.transformer.rebuild is not None, "golden histories are rebuilt to the bit on this machine"
    people = shoppers([1, 2, 23, 24, 25, 31, 32, 33, 61, 62, 63, 64, 65, 95, 96, 97, 130] * 9)
    at_once = OnnxRiskModel(bundle, len(people))
    by_steps = OnnxRiskModel(without_rebuild(bundle), len(people))
    asked = [person.encoding(appended=False) for person in people]
    assert at_once.encode(asked).tobytes() == by_steps.encode(asked).tobytes()
    for _ in range(40):
        following = [encoding for person in people if (encoding := person.happen(RING)) is not None]
        assert at_once.encode(following).tobytes() == by_steps.encode(following).tobytes()


def test_rebuilds_do_go_through_the_rebuild_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def counted(cache: ArenaCache, inputs: TransformerInputs, *others: npt.NDArray[np.int64]) -> object:
        counts.append(len(others[0]))
        return rebuild(cache, inputs, *others)

    bundle, rebuild = loaded(), ArenaCache.rebuild
    monkeypatch.setattr(ArenaCache, "rebuild", counted)
    people = shoppers([5, 23, 24, 63, 80])
    model = OnnxRiskModel(bundle, 10)
    model.encode([person.encoding(appended=True) for person in people])
    model.encode([encoding for person in people if (encoding := person.happen(RING)) is not None])
    assert counts == [3], "long histories without a cache, once"


def test_a_ring_shorter_than_its_history_gives_the_same_bits_too() -> None:
    ring = shoppers([90])[0].ring[-30 * 26 :]
    asked = msgspec.structs.replace(
        shoppers([1])[0].encoding(appended=False), ring=ring, position=500, time_before_ring=1.5e12
    )
    by_steps = OnnxRiskModel(without_rebuild(loaded()), 1)
    assert OnnxRiskModel(loaded(), 1).encode([asked]).tobytes() == by_steps.encode([asked]).tobytes()


def test_an_outlook_is_the_same_in_any_batch() -> None:
    people = shoppers([1 + 5 * (number % 20) for number in range(150)])
    model = OnnxRiskModel(loaded(), len(people))
    hidden = model.encode([person.encoding(appended=True) for person in people])
    rows = np.concatenate([fold(empty(1), [as_array(person.ring)], UTC) for person in people])
    features = features_at(rows, rows[:, 1] + 20 * 86_400_000.0)
    rings = [person.ring for person in people]
    whole = model.outlook(hidden, features, rings)
    assert len({outlook.spend for outlook in whole}) > 100
    for size in (1, 2, 15, 16, 17, 64):
        parts = [slice(start, start + size) for start in range(0, len(people), size)]
        again = [one for part in parts for one in model.outlook(hidden[part], features[part], rings[part])]
        assert again == whole
    assert model.outlook(hidden[:0], features[:0], []) == []


def test_an_outlook_names_what_the_graph_finds_likeliest() -> None:
    person = shoppers([50])[0]
    model = OnnxRiskModel(loaded(), 1)
    hidden = model.encode([person.encoding(appended=True)])
    features = features_at(fold(empty(1), [as_array(person.ring)], UTC), np.array([float(person.now_ms)]))
    assert model.alert_graph is not None
    _, types, categories = model.alert_graph.run(hidden, features, [person.ring])
    outlook = model.outlook(hidden, features, [person.ring])[0]
    assert outlook.spend is not None
    assert outlook.spend > 0
    assert outlook.action is not None
    assert outlook.action.probability == types[0, :8].max(), "of the types that training saw"
    assert outlook.category is not None
    assert outlook.category.name == f"category {1 + categories[0, 1:].argmax()}"
    assert types.sum() == pytest.approx(1.0, abs=1e-5)
    assert categories.sum() == pytest.approx(1.0, abs=1e-3)


def test_a_step_costs_at_most_three_tenths_of_a_megaflop() -> None:
    graphs = graphs_bundle().graphs
    step = with_weights(graphs[ARENA_STEP_NAMES["fp32"]], graphs[STEP_NAME])
    assert 200_000 < operations(step) <= 300_000


def operations(graph: bytes) -> int:
    """Floating-point operations an event: two a term of a product, one a number that any other node makes.

    Normalisations, softmax and GELU count eight a number.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), data_prop=True)
    graph_of = model.graph
    typed = {value.name: value for value in (*graph_of.value_info, *graph_of.input, *graph_of.output)}
    shapes: Mapping[str, list[int]] = {
        **{
            name: [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
            for name, value in typed.items()
        },
        **{weights.name: list(weights.dims) for weights in graph_of.initializer},
    }
    several = {"LayerNormalization", "Softmax", "Gelu"}
    moves = {"Unsqueeze", "GatherND", "Gather", "Reshape", "Split", "Transpose", "Concat", "ScatterND"}
    total = 0
    for node in graph_of.node:
        made = math.prod(shapes[node.output[0]])
        if node.op_type in ("Gemm", "MatMul"):
            total += 2 * made * shapes[node.input[0]][-1]
        elif node.op_type == "ReduceSum":
            total += math.prod(shapes[node.input[0]])
        elif node.op_type not in moves:
            total += made * (8 if node.op_type in several else 1)
    return total


@pytest.mark.parametrize("name", [ARENA_STEP_NAMES["fp32"], ARENA_REBUILD_NAMES["fp32"], ALERT_NAME])
def test_a_changed_graph_is_refused(bundle: Path, name: str) -> None:
    rewrite(bundle, name, lambda data: data)
    load_bundle(bundle)
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name} has SHA-256"):
        load_bundle(bundle)


@pytest.mark.parametrize("part", ["spend", "types", "categories"])
def test_golden_vectors_that_differ_in_what_alerts_tell_are_refused(bundle: Path, part: str) -> None:
    def change(data: bytes) -> bytes:
        golden = msgspec.json.decode(data)
        golden["histories"][2]["alert"][part][0] += 1e-2
        return msgspec.json.encode(golden)

    rewrite(bundle, GOLDEN_NAME, change)
    with pytest.raises(BundleError, match="the graphs differ from golden history 2"):
        load_bundle(bundle)


def test_a_rebuild_graph_that_differs_is_refused(bundle: Path) -> None:
    def change(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        _change_biases(model, lambda biases: biases + np.float32(0.5))
        return model.SerializeToString()

    rewrite(bundle, ARENA_REBUILD_NAMES["fp32"], change)
    with pytest.raises(BundleError, match="the graphs differ from golden history"):
        load_bundle(bundle)


def test_a_rebuild_that_rounds_otherwise_is_not_used(bundle: Path) -> None:
    def change(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        _change_biases(model, lambda biases: np.nextafter(biases, np.float32(9)))
        return model.SerializeToString()

    rewrite(bundle, ARENA_REBUILD_NAMES["fp32"], change)
    assert load_bundle(bundle).transformer.rebuild is None


def _change_biases(model: onnx.ModelProto, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change what a graph adds to scores for the last of two places, so that weights change."""
    table = next(tensor for tensor in model.graph.initializer if list(tensor.dims) == [64, 4, 32])
    biases = onnx.numpy_helper.to_array(table).copy()
    biases[:, :, ::2] = change(biases[:, :, ::2])
    table.CopyFrom(onnx.numpy_helper.from_array(biases, table.name))


def test_a_vocabulary_that_does_not_fit_is_refused(bundle: Path) -> None:
    manifest = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())
    for changed in ({"types": ["teleport"]}, {"categories": ["one"]}):
        alert = {**manifest["alert"], **changed}
        (bundle / MANIFEST_NAME).write_bytes(msgspec.json.encode({**manifest, "alert": alert}))
        with pytest.raises(BundleError, match="the alert graph's vocabulary does not fit"):
            load_bundle(bundle)


def test_a_bundle_stays_small() -> None:
    assert sum(file.stat().st_size for file in graphs_bundle().path.iterdir()) <= 2 * 1024 * 1024


def test_graphs_are_of_one_opset() -> None:
    opset = loaded().manifest.opset
    for graph in graphs_bundle().graphs.values():
        versions = {entry.domain: entry.version for entry in onnx.load_from_string(graph).opset_import}
        assert versions[""] == opset
    assert torch.get_num_threads() == 1
