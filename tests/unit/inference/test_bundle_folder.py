"""A bundle is read from where bundles may lie, and its files from itself; nothing else is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from schemas.bundle.manifest import GOLDEN_NAME, MANIFEST_NAME, QUERY_NAME
from schemas.bundle.outside_data import names_other_files
from schemas.errors import BundleError, ConfigurationError
from streamer.inference.bundle import load_bundle
from streamer.inference.bundle_folder import MOST_BYTES, allowed_folder
from tests.bundles import DEMO_BUNDLE, rewrite


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the demo's bundle, in a folder of bundles."""
    return Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundles" / "first"))


def test_without_a_root_a_bundle_may_be_anywhere(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle / os.pardir)
    for name in (".", "..", "first", "./first", "../bundles/first", str(bundle)):
        assert allowed_folder(Path(name), None) == Path(name).resolve()
    assert load_bundle(Path("first")).path == bundle.resolve()
    assert load_bundle(Path("first"), root=tmp_path).path == bundle.resolve()


def test_a_bundle_outside_the_root_is_refused(bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for path in (bundle, root / ".." / "bundles" / "first"):
        with pytest.raises(ConfigurationError, match="STREAMER_BUNDLE_ROOT"):
            load_bundle(path, root=root)
    # A name that only begins like the root's.
    (tmp_path / "root-too").mkdir()
    with pytest.raises(ConfigurationError, match="STREAMER_BUNDLE_ROOT"):
        load_bundle(tmp_path / "root-too", root=root)


def test_a_link_may_change_between_bundles_and_not_lead_out(bundle: Path, tmp_path: Path) -> None:
    current = bundle.parent / "current"
    current.symlink_to("first")
    assert load_bundle(current).path == bundle.resolve()
    outside = Path(shutil.copytree(bundle, tmp_path / "outside"))
    current.unlink()
    current.symlink_to(outside)
    with pytest.raises(ConfigurationError, match="STREAMER_BUNDLE_ROOT"):
        load_bundle(current)
    assert load_bundle(current, root=tmp_path).path == outside.resolve()


def test_a_file_may_be_a_link_within_its_bundle_only(bundle: Path, tmp_path: Path) -> None:
    """Kubernetes mounts files as links to a folder beside them."""
    (bundle / "..data").mkdir()
    for name in (MANIFEST_NAME, GOLDEN_NAME):
        (bundle / name).rename(bundle / "..data" / name)
        (bundle / name).symlink_to(f"..data/{name}")
    load_bundle(bundle)
    (bundle / "..data" / GOLDEN_NAME).rename(tmp_path / GOLDEN_NAME)
    for target in (tmp_path / GOLDEN_NAME, Path("../../golden.json")):
        (bundle / GOLDEN_NAME).unlink()
        (bundle / GOLDEN_NAME).symlink_to(target)
        with pytest.raises(BundleError, match=r"golden\.json leads out of its bundle"):
            load_bundle(bundle)


def test_what_is_no_file_or_too_large_is_not_read(bundle: Path) -> None:
    (bundle / GOLDEN_NAME).unlink()
    os.mkfifo(bundle / GOLDEN_NAME)
    with pytest.raises(BundleError, match="is not a file"):
        load_bundle(bundle)
    (bundle / GOLDEN_NAME).unlink()
    with (bundle / GOLDEN_NAME).open("wb") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    with pytest.raises(BundleError, match="are read at most"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["../query.onnx", "/etc/passwd", "a/b", "..", "", ".dot", "a\x00b", "a\n"])
def test_a_manifest_names_files_and_no_paths(bundle: Path, name: str) -> None:
    manifest = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())
    manifest["sha256"][name] = "0" * 64
    (bundle / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(BundleError, match="not a bundle's manifest"):
        load_bundle(bundle)


def elsewhere(name: str = "w") -> TensorProto:
    """A tensor that says that its data are in another file."""
    tensor = numpy_helper.from_array(np.ones(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    return tensor


def in_an_initializer(model: ModelProto) -> None:
    model.graph.initializer.append(elsewhere())


def in_a_node(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["outside"], value=elsewhere()))


def in_a_subgraph(model: ModelProto) -> None:
    branch = helper.make_graph([], "branch", [], [], [elsewhere()])
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["outside"], then_branch=branch, else_branch=branch)
    )


def in_a_function(model: ModelProto) -> None:
    node = helper.make_node("Constant", [], ["outside"], value=elsewhere())
    opset = helper.make_opsetid("", 20)
    model.functions.append(helper.make_function("own", "f", [], ["outside"], [node], [opset]))


def in_a_sparse_tensor(model: ModelProto) -> None:
    indices = numpy_helper.from_array(np.zeros(4, np.int64))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(elsewhere(), indices, [8]))


@pytest.mark.parametrize(
    "put", [in_an_initializer, in_a_node, in_a_subgraph, in_a_function, in_a_sparse_tensor]
)
def test_a_graph_with_data_elsewhere_is_refused(bundle: Path, put: Callable[[ModelProto], None]) -> None:
    """ONNX Runtime would look for them beneath the working directory."""

    def change(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        assert not names_other_files(data)
        put(model)
        return model.SerializeToString()

    rewrite(bundle, QUERY_NAME, change)
    with pytest.raises(BundleError, match=r"query\.onnx keeps weights in other files"):
        load_bundle(bundle)
