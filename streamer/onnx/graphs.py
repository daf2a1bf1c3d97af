"""A bundle in memory: its manifest and its graphs as sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from schemas.bundle import Manifest
from schemas.errors import BundleError
from streamer.core.calendar import Calendar


@dataclass(frozen=True)
class Bundle:
    """``sha256``: of ``manifest.json``, which holds the hash of every other file, in hexadecimal.

    ``calendar``: of the manifest's time zone. ``rebuild``: ``None`` where a bundle has no such graph, or
    where on this machine it does not give the bits of stepping. ``alert``: ``None`` where a bundle has none.
    """

    path: Path
    manifest: Manifest
    calendar: Calendar
    sha256: str
    step: onnxruntime.InferenceSession
    query: onnxruntime.InferenceSession
    rebuild: onnxruntime.InferenceSession | None = None
    alert: onnxruntime.InferenceSession | None = None

    @property
    def sessions(self) -> tuple[onnxruntime.InferenceSession, ...]:
        """Of all graphs that it has."""
        there = (self.step, self.query, self.rebuild, self.alert)
        return tuple(session for session in there if session is not None)


def open_graph(graph: bytes, file: Path) -> onnxruntime.InferenceSession:
    """A session of one thread: sums then have one order, and a worker scales by processes.

    Raises :class:`~schemas.errors.BundleError`, which names ``file``.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no other base
        raise BundleError(
            f"{file} cannot be opened as an ONNX graph: {error}. Train the bundle again."
        ) from error
