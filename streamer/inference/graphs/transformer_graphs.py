"""A bundle in memory: its manifest and its graphs as sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import onnxruntime

from schemas.bundle.manifest import ArenaPrecision, Manifest
from schemas.bundle.outside_data import names_other_files
from schemas.errors import BundleError
from streamer.core.history.calendar import Calendar
from streamer.inference.device import Device, check_provider, providers

_ERRORS: Final = 3


@dataclass(frozen=True)
class TransformerGraphs:
    """The graphs that turn events into hidden vectors.

    They read and write an arena of ``precision`` on ``device``. ``rebuild``: ``None`` where on this machine
    it does not give the bits of stepping.
    """

    step: onnxruntime.InferenceSession
    rebuild: onnxruntime.InferenceSession | None
    device: Device
    precision: ArenaPrecision


@dataclass(frozen=True)
class Bundle:
    """``sha256``: of ``manifest.json``, which holds the hash of every other file, in hexadecimal.

    ``calendar``: of the manifest's time zone. ``alert``: ``None`` where a bundle has none.
    """

    path: Path
    manifest: Manifest
    calendar: Calendar
    sha256: str
    transformer: TransformerGraphs
    query: onnxruntime.InferenceSession
    alert: onnxruntime.InferenceSession | None = None

    @property
    def sessions(self) -> tuple[onnxruntime.InferenceSession, ...]:
        """Of all graphs that it has."""
        there = (self.transformer.step, self.transformer.rebuild, self.query, self.alert)
        return tuple(session for session in there if session is not None)


def without_rebuild(bundle: Bundle) -> Bundle:
    """The bundle as one that rebuilds users by steps."""
    return replace(bundle, transformer=replace(bundle.transformer, rebuild=None))


def open_graph(graph: bytes, file: Path, device: Device = "cpu") -> onnxruntime.InferenceSession:
    """A session on ``device``, of one thread: sums then have one order, and a worker scales by processes.

    Raises :class:`~schemas.errors.BundleError`, which names ``file``, and
    :class:`~schemas.errors.ConfigurationError` where the session does not use the device.
    """
    try:
        outside = names_other_files(graph)
    except ValueError as error:
        raise no_graph(file, error) from error
    if outside:
        raise BundleError(
            f"{file} keeps weights in other files, at paths of its own choice: export it again as one file."
        )
    # Warnings of the session's making, such as that scattering needs distinct slots, go to a logger of all.
    onnxruntime.set_default_logger_severity(_ERRORS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers(device))
    except Exception as error:  # onnxruntime raises classes of its own that share no other base
        raise no_graph(file, error) from error
    check_provider(session, device)
    return session


def no_graph(file: Path, reason: Exception) -> BundleError:
    """Refuses a ``file`` that is none."""
    return BundleError(f"{file} cannot be opened as an ONNX graph: {reason}. Train the bundle again.")
