"""A bundle is refused unless every hash, shape and golden vector fits; the message names the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from schemas.bundle.manifest import (
    ALERT_NAME,
    ARENA_REBUILD_NAMES,
    ARENA_STEP_NAMES,
    CARD_NAME,
    FORMAT_VERSION,
    GOLDEN_NAME,
    MANIFEST_NAME,
    QUERY_NAME,
    STEP_NAME,
)
from schemas.errors import BundleError, ConfigurationError
from schemas.event import EVENT_TYPES
from streamer.core.history.token import TOKEN, TOKEN_BYTES
from streamer.core.model.risk_model import Encoding
from streamer.inference.bundle import load_bundle
from streamer.inference.installation import check_installation
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import DEMO_BUNDLE, demo_bundle, rewrite


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the demo's bundle to damage."""
    return Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundle"))


def change_manifest(bundle: Path, **fields: object) -> None:
    manifest = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())
    (bundle / MANIFEST_NAME).write_bytes(msgspec.json.encode({**manifest, **fields}))


def test_the_demo_bundle_loads_and_is_small() -> None:
    assert demo_bundle().manifest.horizon_days == 28
    assert sum(file.stat().st_size for file in DEMO_BUNDLE.iterdir()) <= 3 * 1024 * 1024
    assert {file.name for file in DEMO_BUNDLE.iterdir()} == {
        MANIFEST_NAME,
        GOLDEN_NAME,
        STEP_NAME,
        *ARENA_STEP_NAMES.values(),
        *ARENA_REBUILD_NAMES.values(),
        QUERY_NAME,
        ALERT_NAME,
        CARD_NAME,
    }


@pytest.mark.parametrize("name", [STEP_NAME, QUERY_NAME, GOLDEN_NAME])
def test_one_changed_byte_is_refused(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name} has SHA-256 .* manifest says"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    "name", [MANIFEST_NAME, STEP_NAME, ARENA_STEP_NAMES["fp32"], QUERY_NAME, ALERT_NAME, GOLDEN_NAME]
)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=rf"{name} cannot be read"):
        load_bundle(bundle)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="streamer train"):
        load_bundle(tmp_path / "nowhere")


def test_another_format_version_is_refused(bundle: Path) -> None:
    change_manifest(bundle, format_version=FORMAT_VERSION + 1)
    with pytest.raises(BundleError, match=f"bundle format {FORMAT_VERSION + 1}"):
        load_bundle(bundle)


def test_other_features_are_refused(bundle: Path) -> None:
    change_manifest(bundle, features=["since_purchase"])
    with pytest.raises(BundleError, match="other features"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("silence_grid_s", []),
        ("silence_grid_s", [86_400, 86_400]),
        ("silence_grid_s", [172_800, 86_400]),
        ("silence_grid_s", [0, 86_400]),
        ("silence_grid_s", [-1]),
        ("silence_grid_s", [2**62]),
        ("silence_grid_s", [*range(1, 400)]),
        ("band_edges", {"watch": 0.5, "high": 0.4, "critical": 0.8}),
        ("band_edges", {"watch": 0.4, "high": 0.4, "critical": 0.8}),
        ("band_edges", {"watch": 0.0, "high": 0.4, "critical": 0.8}),
        ("band_edges", {"watch": 0.3, "high": 0.4, "critical": 1.0}),
        ("band_edges", {"watch": 0.3, "high": 0.4, "critical": 2.0}),
    ],
)
def test_a_grid_or_bands_out_of_order_are_refused(bundle: Path, field: str, value: object) -> None:
    change_manifest(bundle, **{field: value})
    with pytest.raises(BundleError, match=rf"manifest\.json.*{field}.*Train the bundle again"):
        load_bundle(bundle)


@pytest.mark.parametrize("changed", [{"hidden": [0.0]}, {"aggregates": {"visits": 1.0}}])
def test_a_reference_point_that_does_not_fit_is_refused(bundle: Path, changed: dict[str, object]) -> None:
    reference = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())["reference"]
    change_manifest(bundle, reference={**reference, **changed})
    with pytest.raises(BundleError, match=r"manifest\.json: the reference point"):
        load_bundle(bundle)


def test_a_bundle_may_do_without_a_reference_point(bundle: Path) -> None:
    change_manifest(bundle, reference=None)
    assert OnnxRiskModel(load_bundle(bundle), arena_users=1).reference is None


def test_golden_vectors_are_checked_in_the_bundles_time_zone(bundle: Path) -> None:
    change_manifest(bundle, time_zone="Pacific/Auckland")
    with pytest.raises(BundleError, match="the graphs differ from golden history"):
        load_bundle(bundle)


def test_a_time_zone_that_this_machine_does_not_know_is_refused(bundle: Path) -> None:
    change_manifest(bundle, time_zone="Mars/Olympus")
    with pytest.raises(BundleError, match=r"manifest\.json: time_zone: 'Mars/Olympus' .* tzdata"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", [STEP_NAME, QUERY_NAME])
def test_a_file_that_is_no_graph_is_refused(bundle: Path, name: str) -> None:
    rewrite(bundle, name, lambda _: b"not a graph")
    with pytest.raises(BundleError, match=f"{name} cannot be opened as an ONNX graph"):
        load_bundle(bundle)


def test_golden_vectors_that_differ_in_a_probability_are_refused(bundle: Path) -> None:
    def change(data: bytes) -> bytes:
        golden = msgspec.json.decode(data)
        golden["histories"][1]["probabilities"][3] += 1e-4
        return msgspec.json.encode(golden)

    rewrite(bundle, GOLDEN_NAME, change)
    with pytest.raises(BundleError, match=r"golden\.json: the graphs differ from golden history 1"):
        load_bundle(bundle)


def test_golden_vectors_that_differ_in_a_hidden_vector_are_refused(bundle: Path) -> None:
    def change(data: bytes) -> bytes:
        golden = msgspec.json.decode(data)
        hidden = golden["histories"][-1]["hidden"]
        hidden[max(hidden, key=int)][5] += 1e-3
        return msgspec.json.encode(golden)

    rewrite(bundle, GOLDEN_NAME, change)
    with pytest.raises(BundleError, match="graphs differ from golden history"):
        load_bundle(bundle)


def test_graphs_that_do_not_take_the_inputs_are_refused(bundle: Path) -> None:
    query = (bundle / QUERY_NAME).read_bytes()
    rewrite(bundle, ARENA_STEP_NAMES["fp32"], lambda _: query)
    with pytest.raises(BundleError, match=r"arena-step-fp32\.onnx: input \w+ is missing, and by"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu", "ONNXRuntime_GPU"])
def test_one_runtime_is_fine(name: str) -> None:
    assert check_installation(["numpy", name]) == name.lower().replace("_", "-")


def test_no_runtime_and_two_runtimes_are_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="not installed"):
        check_installation(["numpy"])
    with pytest.raises(ConfigurationError, match="uninstall"):
        check_installation(["onnxruntime-gpu", "onnxruntime"])


def test_graphs_tell_nothing_of_the_machine_that_made_them() -> None:
    for graph in DEMO_BUNDLE.glob("*.onnx"):
        assert b".py" not in graph.read_bytes(), f"{graph.name} holds a stack trace of its export"


def test_a_type_that_a_bundle_does_not_know_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(types: list[int]) -> bytes:
        tokens = np.zeros(len(types), TOKEN)
        tokens["time"] = 1_700_000_000_000 + 1000 * np.arange(len(types))
        tokens["event"], tokens["type"] = 1 + np.arange(len(types)), types
        model = OnnxRiskModel(load_bundle(DEMO_BUNDLE), 16)
        ring = tokens.tobytes()
        found = model.encode([Encoding("u", ring, len(ring) // TOKEN_BYTES - 1, np.nan, False)])
        model.outlook(found, np.zeros((1, len(model.bundle.manifest.features)), np.float32), [ring])
        assert np.isfinite(found).all()
        return found.tobytes()

    known, unknown = [0, 6, 0], len(EVENT_TYPES)
    before = hidden(known)
    appended = (*EVENT_TYPES, "invented")
    for module in ("schemas.event", "streamer.inference.bundle", "streamer.inference.outlook"):
        monkeypatch.setattr(f"{module}.EVENT_TYPES", appended)
    assert hidden(known) == before
    assert hidden([0, 6, unknown]) == before, "read as a view"
