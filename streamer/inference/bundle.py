"""Loading a model bundle: a folder is trusted only after its hashes and its golden vectors."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import onnxruntime
import structlog

from schemas.bundle.golden import decode_golden
from schemas.bundle.manifest import (
    ALERT_NAME,
    ARENA_REBUILD_NAMES,
    ARENA_STEP_NAMES,
    GOLDEN_NAME,
    MANIFEST_NAME,
    QUERY_NAME,
    STEP_NAME,
    ArenaPrecision,
    Manifest,
    decode_manifest,
)
from schemas.bundle.shared_weights import with_weights
from schemas.errors import BundleError, ConfigurationError
from schemas.event import EVENT_TYPES
from streamer.core.history.aggregates import AGGREGATES
from streamer.core.history.calendar import Calendar
from streamer.core.model.features import FEATURES
from streamer.inference.bundle_folder import allowed_folder, read_file
from streamer.inference.device import DeviceSetting, find_device
from streamer.inference.golden import check_golden
from streamer.inference.graphs.shapes import (
    Tensors,
    alert_tensors,
    check_shapes,
    query_tensors,
    rebuild_tensors,
    step_tensors,
)
from streamer.inference.graphs.transformer_graphs import (
    Bundle,
    TransformerGraphs,
    no_graph,
    open_graph,
    without_rebuild,
)
from streamer.inference.installation import check_installation
from streamer.settings.time_zone import calendar_of

__all__ = ["Bundle", "load_bundle"]

log = structlog.get_logger(__name__)


def load_bundle(
    path: Path,
    device: DeviceSetting = "cpu",
    precision: ArenaPrecision = "fp32",
    root: Path | None = None,
) -> Bundle:
    """The bundle in the folder ``path``, its transformer on ``device`` over an arena of ``precision``.

    ``root``: the folder that bundles may lie in, by default the one that ``path`` is named in.

    Raises :class:`~schemas.errors.BundleError` that names the file at fault, and
    :class:`~schemas.errors.ConfigurationError` where the folder is not allowed, ONNX Runtime is not installed
    once, or it or the bundle cannot do what was asked.
    """
    check_installation()
    path = allowed_folder(path, root)
    data = read_file(path, MANIFEST_NAME)
    manifest = decode_manifest(data, str(path / MANIFEST_NAME))
    _check_fit(manifest, path / MANIFEST_NAME)
    golden = decode_golden(_read_checked(path, GOLDEN_NAME, manifest), str(path / GOLDEN_NAME))
    query = open_graph(_read_checked(path, QUERY_NAME, manifest), path / QUERY_NAME)
    check_shapes(query, path / QUERY_NAME, *query_tensors(manifest))
    bundle = Bundle(
        path=path,
        manifest=manifest,
        calendar=_calendar(manifest, path / MANIFEST_NAME),
        sha256=sha256(data).hexdigest(),
        transformer=_transformer(path, manifest, device, precision),
        query=query,
        alert=_alert(path, manifest),
    )
    if not check_golden(bundle, golden, path / GOLDEN_NAME):
        log.warning("the rebuild graph rounds otherwise than stepping here: caches are rebuilt by steps")
        return without_rebuild(bundle)
    return bundle


def _transformer(
    path: Path, manifest: Manifest, wanted: DeviceSetting, precision: ArenaPrecision
) -> TransformerGraphs:
    step_name, rebuild_name = ARENA_STEP_NAMES[precision], ARENA_REBUILD_NAMES[precision]
    weights = _read_checked(path, STEP_NAME, manifest)
    device = find_device(wanted)

    def opened(name: str, inputs: Tensors, outputs: Tensors) -> onnxruntime.InferenceSession:
        try:
            graph = with_weights(_read_checked(path, name, manifest), weights)
        except ValueError as error:
            raise no_graph(path / STEP_NAME, error) from error
        session = open_graph(graph, path / name, device)
        check_shapes(session, path / name, inputs, outputs)
        return session

    return TransformerGraphs(
        opened(step_name, *step_tensors(manifest, precision)),
        opened(rebuild_name, *rebuild_tensors(manifest, precision)),
        device,
        precision,
    )


def _alert(path: Path, manifest: Manifest) -> onnxruntime.InferenceSession | None:
    if manifest.alert is None:
        return None
    alert = open_graph(_read_checked(path, ALERT_NAME, manifest), path / ALERT_NAME)
    check_shapes(alert, path / ALERT_NAME, *alert_tensors(manifest, manifest.alert))
    return alert


def _read_checked(path: Path, name: str, manifest: Manifest) -> bytes:
    expected = manifest.sha256.get(name)
    if expected is None:
        raise BundleError(f"{path / MANIFEST_NAME} has no hash of {name}: train the bundle again.")
    data = read_file(path, name)
    found = sha256(data).hexdigest()
    if found != expected:
        raise BundleError(
            f"{path / name} has SHA-256 {found} and its manifest says {expected}: "
            "the file was changed or damaged; copy the whole bundle again."
        )
    return data


def _calendar(manifest: Manifest, file: Path) -> Calendar:
    try:
        return calendar_of(manifest.time_zone)
    except ConfigurationError as error:
        raise BundleError(
            f"{file}: {error}. Install a newer tzdata, or train the bundle again in another time zone."
        ) from error


def _check_fit(manifest: Manifest, file: Path) -> None:
    """Refuse a bundle that was trained with other inputs than this program computes."""
    # Features are only ever appended: an older bundle is asked with the first of them.
    if manifest.features != FEATURES[: len(manifest.features)]:
        raise BundleError(
            f"{file} names other features than this program computes: train the bundle again, "
            "or use the program's version that made it."
        )
    reference = manifest.reference
    if reference is not None and (
        not set(reference.aggregates) <= set(AGGREGATES) or len(reference.hidden) != manifest.width
    ):
        raise BundleError(
            f"{file}: the reference point names other aggregates than this program keeps, or its hidden "
            f"vector has not the width {manifest.width}: train the bundle again."
        )
    _check_alert_heads(manifest, file)
    if manifest.token_encoding.types > len(EVENT_TYPES):
        raise BundleError(
            f"{file} knows {manifest.token_encoding.types} event types and this program {len(EVENT_TYPES)}: "
            "use the program's version that made it."
        )


def _check_alert_heads(manifest: Manifest, file: Path) -> None:
    heads = manifest.alert
    if heads is None:
        return
    unknown = set(heads.types) - set(EVENT_TYPES)
    if unknown or len(heads.categories) != manifest.token_encoding.category_buckets:
        raise BundleError(
            f"{file}: the alert graph's vocabulary does not fit: types that this program does not know "
            f"({', '.join(sorted(unknown)) or 'none'}), or not one category for each bucket. Train the "
            "bundle again, or use the program's version that made it."
        )
