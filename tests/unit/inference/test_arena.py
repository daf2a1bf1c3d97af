"""The arena: how large it may be, who gives way in it, where it lies, and what is refused in which words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from schemas.bundle.manifest import (
    ARENA_REBUILD_NAMES,
    ARENA_STEP_NAMES,
    QUERY_NAME,
    STEP_NAME,
    ArenaPrecision,
)
from schemas.bundle.shared_weights import with_weights
from schemas.errors import BundleError, ConfigurationError
from streamer.bench.input.step_graph import step_speed
from streamer.core.model.transformer_inputs import NUMBERS, TransformerInputs
from streamer.inference.bundle import load_bundle
from streamer.inference.device import CPU_PROVIDER, CUDA_PROVIDER, check_provider, find_device
from streamer.inference.graphs.arena import Arena, slot_bytes
from streamer.inference.graphs.bound_graph import BoundGraph
from streamer.inference.graphs.slots import Slots
from streamer.inference.key_values.arena_cache import ArenaCache, aligned
from streamer.inference.key_values.arena_size import arena_users, memory_bytes
from streamer.inference.risk_model import OnnxRiskModel
from streamer.settings.settings import Settings
from streamer.worker.run import build_stage
from tests.bundles import Shopper, demo_bundle, rewrite
from tests.graphs_bundle import graphs_bundle, loaded

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    return Path(shutil.copytree(graphs_bundle().path, tmp_path / "bundle"))


def test_an_arena_holds_what_its_memory_holds() -> None:
    assert slot_bytes(loaded().manifest, "fp32") == 32 * 1024
    assert slot_bytes(loaded("fp16").manifest, "fp16") == 16 * 1024
    assert arena_users(loaded(), 128, memory=GIB) == 4095, "one slot belongs to nobody"
    assert arena_users(loaded("fp16"), 128, memory=GIB) == 8191
    assert arena_users(demo_bundle(), 128, memory=GIB) == 4095


def test_an_arena_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"arena_mb: 4 MiB hold .* 127 users in fp32, .* at least 5"):
        arena_users(loaded(), 4, memory=GIB)
    assert arena_users(loaded(), 5, memory=GIB) >= 128
    with pytest.raises(ConfigurationError, match=r"arena_mb: 1 MiB hold .* 63 users in fp16, .* at least 3"):
        build_stage(Settings(arena_mb=1), loaded("fp16"), 4)


def test_an_arena_larger_than_the_machines_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"arena_mb: 1025 MiB .* than this machine has, 1024 MiB"):
        arena_users(loaded(), 1025, memory=GIB)
    assert arena_users(loaded(), 1024, memory=GIB) == 32767
    with pytest.raises(ConfigurationError, match="more memory than this machine has"):
        build_stage(Settings(arena_mb=1 << 30), loaded(), 4)


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    machine = memory_bytes(tmp_path / "no such file")
    assert machine > 256 * MIB
    for limit, expected in (("max\n", machine), ("134217728\n", 128 * MIB), (f"{machine * 2}\n", machine)):
        (tmp_path / "limit").write_text(limit)
        assert memory_bytes(tmp_path / "limit") == expected


def test_the_least_recently_used_gives_way() -> None:
    slots = Slots(2)
    first, second = slots.claim("a"), slots.claim("b")
    assert slots.find("a") is first
    third = slots.claim("c")
    assert third.slot == second.slot
    assert slots.find("b") is None
    assert slots.find("a") is first
    slots.evict(["a", "nobody"])
    assert len(slots) == 1
    assert slots.claim("d").slot == first.slot


def test_those_who_are_cached_do_not_give_way_to_newcomers_of_their_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = [Shopper(f"u{number}", np.random.default_rng([1, number])) for number in range(300)]
    for person in people:
        person.happen(63)
    model = OnnxRiskModel(loaded(), 200)
    known, newcomers = people[:150], people[150:200]
    model.encode([person.encoding(appended=True) for person in known])
    stepped: list[int] = []
    step = ArenaCache.step
    monkeypatch.setattr(
        ArenaCache, "step", lambda self, *given: (stepped.append(len(given[2])), step(self, *given))[1]
    )
    asked = [encoding for person in [*newcomers, *known] if (encoding := person.happen(63)) is not None]
    model.encode(asked)
    # All take a step for their newest token, the newcomers another for the one before.
    assert stepped == [200, 50]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("events", [5, 40])
def test_many_in_one_call_are_told_what_each_is_told_alone(precision: ArenaPrecision, events: int) -> None:
    people = [Shopper(f"u{number}", np.random.default_rng([2, number])) for number in range(140)]
    for person in people:
        for _ in range(events):
            person.happen(63)
    asked = [person.encoding(appended=True) for person in people]
    together = OnnxRiskModel(loaded(precision), 128).encode(asked)
    alone = OnnxRiskModel(loaded(precision), 1)
    assert [row.tobytes() for row in together] == [alone.encode([one])[0].tobytes() for one in asked]


def test_a_step_writes_in_place_into_its_slots_alone() -> None:
    arena = Arena(loaded().manifest, 3, "cpu", "fp32")
    address = [tensor.data_ptr() for tensor in arena.layers]
    graph = BoundGraph(loaded().transformer.step, arena, "cpu", (16,))
    inputs = {
        "codes": np.ones((2, 3), np.int64),
        "numbers": np.ones((2, len(NUMBERS)), np.float32),
        "position": np.array([0, 33]),
    }
    hidden = graph.run(inputs, np.array([2, 0]))
    assert hidden.shape == (2, 64)
    assert [tensor.data_ptr() for tensor in arena.layers] == address
    written = [np.flatnonzero(tensor.numpy().any(1)).tolist() for tensor in arena.layers]
    # Keys and values of slot 0 in place 1, of slot 2 in place 0, and of nobody's slot 3 in place 0.
    assert written == [[1, 33, 128, 160, 192, 224]] * 2
    arena.clear(np.array([0, 2, 3]))
    assert not any(tensor.numpy().any() for tensor in arena.layers)
    assert graph.bus_bytes(2) == 16 * (3 * 8 + 9 * 4 + 8 + 8 + 64 * 4), "padded to 16 rows"


def test_tokens_are_aligned_at_the_newest() -> None:
    codes = np.arange(1, 13).reshape(4, 3)
    numbers = np.arange(4, dtype=np.float32)[:, np.newaxis]
    tokens = aligned(TransformerInputs(codes, numbers), np.array([1, 3]), 4)
    assert tokens.codes[:, :, 0].tolist() == [[0, 0, 0, 1], [0, 4, 7, 10]]
    assert tokens.numbers[:, :, 0].tolist() == [[0, 0, 0, 0], [0, 1, 2, 3]]


def test_auto_takes_the_cpu_where_there_is_no_gpu_and_cuda_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU_PROVIDER])
    assert find_device("auto") == find_device("cpu") == "cpu"
    with pytest.raises(ConfigurationError, match=r"device: cuda cannot be used.*knows no GPU.*\[gpu\]"):
        find_device("cuda")


def test_a_runtime_for_gpus_on_a_machine_without_one_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_device(*_: object) -> None:
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA_PROVIDER, CPU_PROVIDER])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", no_device)
    assert find_device("auto") == "cpu"
    with pytest.raises(ConfigurationError, match=r"no GPU that works .*no CUDA-capable device.*nvidia-smi"):
        load_bundle(graphs_bundle().path, "cuda")


def test_a_session_that_fell_back_to_the_cpu_is_refused() -> None:
    session = loaded().transformer.step
    check_provider(session, "cpu")
    with pytest.raises(ConfigurationError, match="fell back to the CPU"):
        check_provider(session, "cuda")


@pytest.mark.parametrize("name", [QUERY_NAME, ARENA_STEP_NAMES["fp32"], ARENA_REBUILD_NAMES["fp32"]])
def test_a_graph_that_does_not_fit_the_manifest_is_refused(bundle: Path, name: str) -> None:
    def change(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        model.graph.input[1].type.tensor_type.shape.dim[1].dim_value += 1
        return model.SerializeToString()

    rewrite(bundle, name, change)
    with pytest.raises(BundleError, match=rf"{name}(: input .* by the manifest it is| cannot be opened)"):
        load_bundle(bundle)


def test_a_graph_of_another_window_is_refused(bundle: Path) -> None:
    precise = ARENA_STEP_NAMES["fp16"]
    rewrite(bundle, ARENA_STEP_NAMES["fp32"], lambda _: (bundle / precise).read_bytes())
    with pytest.raises(BundleError, match=r"input arena_0 is tensor\(float16\) \[any, 64\], and by the"):
        load_bundle(bundle)


def test_weights_are_joined_to_a_graph_without_understanding_it() -> None:
    graphs = graphs_bundle().graphs
    bare = onnx.load_from_string(graphs[ARENA_STEP_NAMES["fp32"]])
    whole = onnx.load_from_string(with_weights(bare.SerializeToString(), graphs[STEP_NAME]))
    joined = {tensor.name: tensor for tensor in whole.graph.initializer}
    source = {tensor.name: tensor for tensor in onnx.load_from_string(graphs[STEP_NAME]).graph.initializer}
    shared = {name for name in source if name.startswith("transformer.")}
    assert shared
    assert {name: joined[name] for name in shared} == {name: source[name] for name in shared}
    assert joined.keys() == shared | {tensor.name for tensor in bare.graph.initializer}
    assert list(whole.graph.node) == list(bare.graph.node)


@pytest.mark.parametrize("damaged", [b"\xff", b"\x3f", b"\x3a\x03ab"])
def test_weights_of_what_is_no_graph_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="not a Protocol Buffers message"):
        with_weights(b"", damaged)


def test_the_step_graph_is_measured() -> None:
    speed = step_speed(loaded(), 16, 130, rounds=2, seconds=0.01)
    assert (speed.device, speed.precision, speed.batch, speed.users) == ("cpu", "fp32", 16, 130)
    assert speed.per_wall_s > 0
    assert speed.per_cpu_s > 0
    assert speed.bus_bytes == 0, "nothing leaves the machine's memory"
