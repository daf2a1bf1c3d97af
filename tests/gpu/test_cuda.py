"""The transformer on a GPU. Skipped, with the reason, where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from schemas.bundle.manifest import ARENA_REBUILD_NAMES, ARENA_STEP_NAMES, STEP_NAME, ArenaPrecision
from schemas.bundle.shared_weights import with_weights
from schemas.errors import ConfigurationError
from streamer.bench.input.step_graph import step_speed
from streamer.inference.bundle import load_bundle
from streamer.inference.device import CPU_PROVIDER, CUDA_PROVIDER, cuda_obstacle, providers
from streamer.inference.key_values.arena_size import arena_users
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import Shopper
from tests.graphs_bundle import graphs_bundle

OBSTACLE = cuda_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=f"not on a GPU, because {OBSTACLE}")

RING = 63
PRECISIONS: list[tuple[ArenaPrecision, float]] = [("fp32", 1e-5), ("fp16", 1e-3)]


def test_the_sessions_really_use_the_gpu() -> None:
    for setting in ("auto", "cuda"):
        bundle = load_bundle(graphs_bundle().path, setting)
        assert bundle.transformer.device == "cuda"
        assert bundle.transformer.step.get_providers()[0] == CUDA_PROVIDER
        assert OnnxRiskModel(bundle, 10).providers == (CUDA_PROVIDER, CPU_PROVIDER)


@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("users", [7, 40, 300])
def test_a_gpu_encodes_like_the_cpu(precision: ArenaPrecision, tolerance: float, users: int) -> None:
    random = np.random.default_rng(users)
    people = [Shopper(f"u{number}", np.random.default_rng([5, number])) for number in range(200)]
    for number, person in enumerate(people):
        for _ in range(number % 80):
            person.happen(RING)
    path = graphs_bundle().path
    found = OnnxRiskModel(load_bundle(path, "cuda", precision), users)
    steady = OnnxRiskModel(load_bundle(path), len(people))
    for _ in range(40):
        asked = [people[number] for number in random.permutation(len(people))[: random.integers(1, 200)]]
        requests = [request for person in asked if (request := person.happen(RING)) is not None]
        np.testing.assert_allclose(
            found.encode(requests), steady.encode(requests), rtol=tolerance, atol=tolerance
        )
        found.forget(f"u{number}" for number in random.integers(0, len(people), 5))


@pytest.mark.parametrize("name", [*ARENA_STEP_NAMES.values(), *ARENA_REBUILD_NAMES.values()])
def test_nothing_within_a_graph_runs_on_the_cpu(name: str, tmp_path: Path) -> None:
    graphs = graphs_bundle().graphs
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / name)
    onnxruntime.InferenceSession(
        with_weights(graphs[name], graphs[STEP_NAME]), options, providers=providers("cuda")
    )
    copies = [node.op_type for node in onnx.load(tmp_path / name).graph.node if "Memcpy" in node.op_type]
    assert copies == []


def test_less_than_400_bytes_an_event_cross_the_bus() -> None:
    bundle = load_bundle(graphs_bundle().path, "cuda", "fp16")
    assert 0 < step_speed(bundle, 8192, 10_000, rounds=1).bus_bytes < 400


def test_an_arena_larger_than_the_gpus_memory_is_refused() -> None:
    bundle = load_bundle(graphs_bundle().path, "cuda")
    with pytest.raises(ConfigurationError, match="arena_mb: the GPU has no room"):
        OnnxRiskModel(bundle, arena_users(bundle, 1_000_000))
