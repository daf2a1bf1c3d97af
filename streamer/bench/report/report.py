"""The figures of a benchmark as JSON, for ``--report``."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import msgspec
import psutil

from schemas.bundle.manifest import Manifest
from streamer.bench.contest.latency import Latency
from streamer.bench.report.figures import Rates, Spread
from streamer.processes.broker.lock import KAFKA_VERSION


class Machine(msgspec.Struct, frozen=True):
    """Where it ran. ``cores``: that the benchmark may use. ``load``: the system's in the minute before."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    load: float


class Batches(msgspec.Struct, frozen=True):
    """The mean transaction of the worker's rounds, which the floor repeats."""

    events: float
    users: float


class Start(msgspec.Struct, frozen=True):
    """From the worker's start to its last partition being ready, its table read from the changelog.

    ``cpu_s``: its processor time for that. ``disk_bytes_per_user``: what its folder of state then took.
    """

    seconds: float
    cpu_s: float
    users_per_s: float
    disk_bytes_per_user: float


class WorkloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """One workload. ``scored_per_cpu_s`` and ``scored_per_wall_s``: the worker's events a second, medians.

    ``ratio_to``: a peer's processor time for an event over the worker's; ``floor``: the worker's over the
    floors' together. ``floors_us``: microseconds of processor time an event. ``latency_ms``: at half of
    ``scored_per_wall_s``. ``rss_mb``: the worker's at the end. ``alerts``: that the worker sent.
    """

    users: int
    arena_users: int
    scored_per_cpu_s: float
    scored_per_wall_s: float
    ratio_to: dict[str, float]
    latency_ms: Latency
    rss_mb: float | None
    worker: Rates
    peers: dict[str, Rates]
    floors_us: dict[str, Spread]
    transaction: Batches
    start: Start
    alerts: int


class BenchReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole run; a workload that was not asked for is not there."""

    quick: bool
    rounds: int
    seconds: float
    machine: Machine
    versions: dict[str, str]
    hot: WorkloadReport | None = None
    session: WorkloadReport | None = None
    cold: WorkloadReport | None = None

    @property
    def workloads(self) -> dict[str, WorkloadReport]:
        """Those that ran, by name."""
        every = {"hot": self.hot, "session": self.session, "cold": self.cold}
        return {name: workload for name, workload in every.items() if workload is not None}


def machine() -> Machine:
    """This one."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=platform.platform(terse=True),
        load=round(psutil.getloadavg()[0], 2),
    )


def versions(manifest: Manifest) -> dict[str, str]:
    """What ran."""
    packages = ("churn-streamer", "faust-streaming", "aiokafka", "quixstreams", "rocksdict", "numpy")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "onnxruntime": _onnxruntime(),
        "kafka": KAFKA_VERSION,
        "model": f"{manifest.name} {manifest.version}",
    }


def _onnxruntime() -> str:
    import onnxruntime

    return onnxruntime.__version__


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123 - a file of the kernel, only there on Linux
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
