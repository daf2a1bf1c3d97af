"""The figures of a demonstration as JSON, for ``--report``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from schemas.bundle.manifest import Manifest
from schemas.errors import ConfigurationError
from streamer.demo.judgement.evaluation import Confrontation, Evaluation
from streamer.demo.judgement.lost import Lost
from streamer.processes.broker.lock import KAFKA_VERSION


class AlertCounts(msgspec.Struct, frozen=True):
    """Revisions of alerts, by kind."""

    raised: int
    escalated: int
    resolved: int


class Judgement(Evaluation, frozen=True, kw_only=True):
    """The evaluation with the lead of the alerts that were right."""

    median_lead_days: float | None


class BundleVersion(msgspec.Struct, frozen=True):
    """The model that scored; ``sha256`` is the hash of its manifest, as its messages carry it."""

    name: str
    version: str
    sha256: str


class Versions(msgspec.Struct, frozen=True, rename={"faust_streaming": "faust-streaming"}):
    """What ran."""

    python: str
    streamer: str
    faust_streaming: str
    aiokafka: str
    onnxruntime: str
    kafka: str
    bundle: BundleVersion


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. Durations are in seconds of wall time.

    ``events_per_s``: baskets committed by the worker, from its first to its last commit, the stops at the
    moments of judgement included. ``seconds_to_first_alert`` and ``total_seconds`` count from the start of
    the broker. ``lost`` is null where the bundle foretells absence alone, ``worker_peak_rss_mb`` where the
    system does not tell.
    """

    events: int
    events_per_s: float
    users: int
    scores: int
    seconds_to_first_alert: float | None
    total_seconds: float
    alerts: AlertCounts
    evaluation: Judgement
    confrontation: Confrontation
    lost: Lost | None
    dead_letters: int
    worker_peak_rss_mb: float | None
    versions: Versions


def versions_of(manifest: Manifest, sha256: str) -> Versions:
    """The versions of this installation and the bundle."""
    return Versions(
        python=platform.python_version(),
        streamer=version("churn-streamer"),
        faust_streaming=version("faust-streaming"),
        aiokafka=version("aiokafka"),
        onnxruntime=_onnxruntime(),
        kafka=KAFKA_VERSION,
        bundle=BundleVersion(manifest.name, manifest.version, sha256),
    )


def judgement(evaluation: Evaluation, confrontation: Confrontation) -> Judgement:
    """The evaluation with the median lead time of the right alerts."""
    fields: dict[str, Any] = msgspec.structs.asdict(evaluation)
    return Judgement(**fields, median_lead_days=confrontation.median_lead_days)


def write_report(file: Path, report: Report) -> None:
    """Write the report as indented JSON; raises :class:`ConfigurationError` where that fails."""
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    try:
        file.write_bytes(encoded)
    except OSError as error:
        raise ConfigurationError(f"the report {file} cannot be written: {error.strerror}") from error


def _onnxruntime() -> str:
    """Of whichever of the two packages is installed, without importing it."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return version("onnxruntime-gpu")
