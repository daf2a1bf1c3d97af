"""A benchmark from nothing to its report: broker, prepared users, one workload after the other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from schemas.errors import BrokerError, ChurnStreamerError, ConfigurationError
from streamer.bench.contest.failure import BenchError
from streamer.bench.contest.observer import observer
from streamer.bench.input.prepared import Prepared, joined, prepare
from streamer.bench.input.sizes import QUICK, Sizes, WorkloadName
from streamer.bench.report.report import BenchReport, WorkloadReport, machine, versions
from streamer.bench.workload_run import Field, Say, run_workload
from streamer.inference.bundle import Bundle, load_bundle
from streamer.kafka.connection import Connection
from streamer.processes.broker import LocalBroker
from streamer.processes.broker.starting import start_in_thread
from streamer.settings.settings import Settings

BUNDLE = Path(__file__).parents[1] / "demo" / "bundle"


class Benchmark:
    """One run, with the demo's bundle; ``say`` is told what happens."""

    def __init__(self, sizes: Sizes, say: Say) -> None:
        self._sizes = sizes
        self._say = say
        self._interrupted = False

    async def run(self, workloads: Sequence[WorkloadName]) -> BenchReport:
        """Everything; returns when every process has ended.

        Raises :class:`~schemas.errors.ChurnStreamerError` when a part fails; the logs are then kept and
        named.
        """
        directory = Path(tempfile.mkdtemp(prefix="churn-streamer-bench-"))
        try:
            async with AsyncExitStack() as stack:
                return await self._run(workloads, directory, stack)
        except ConfigurationError:
            raise
        except ChurnStreamerError as error:
            raise BenchError(f"{error}\nThe logs are kept in {_keep_logs(directory)}") from error
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    async def _run(
        self, workloads: Sequence[WorkloadName], directory: Path, stack: AsyncExitStack
    ) -> BenchReport:
        started, where = monotonic(), machine()
        self._say("starting Apache Kafka")
        broker = LocalBroker(directory / "broker", progress=self._fetching)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        await start_in_thread(broker, self._interrupt)
        settings = Settings(bootstrap=broker.bootstrap, bundle=BUNDLE)
        bundle = load_bundle(BUNDLE)
        field = Field(
            sizes=self._sizes,
            settings=settings,
            prepared=await self._prepared(bundle, settings),
            observer=await stack.enter_async_context(observer(Connection(broker.bootstrap))),
            broker_pid=broker.pid,
            directory=directory,
            say=self._say,
        )
        done: dict[WorkloadName, WorkloadReport] = {}
        for workload in workloads:
            done[workload] = await run_workload(workload, field)
        return BenchReport(
            quick=self._sizes is QUICK,
            rounds=self._sizes.rounds,
            seconds=round(monotonic() - started, 1),
            machine=where,
            versions=versions(bundle.manifest),
            hot=done.get("hot"),
            session=done.get("session"),
            cold=done.get("cold"),
        )

    async def _prepared(self, bundle: Bundle, settings: Settings) -> Prepared:
        parts: list[Prepared] = []
        made = 0
        for part in prepare(bundle, self._sizes.histories, settings.disorder_s, seed=0):
            parts.append(part)
            made += len(part.states)
            self._say(f"making histories, {made:,} of {self._sizes.histories:,}")
            await asyncio.sleep(0)  # A moment at which an interruption is heard.
        return joined(parts)

    def _interrupt(self) -> None:
        self._interrupted = True

    def _fetching(self, present: int, needed: int) -> None:
        if self._interrupted:
            raise BrokerError("interrupted while Apache Kafka was fetched")
        self._say(f"fetching Apache Kafka, this first time only: {present} of {needed} files")


def _keep_logs(directory: Path) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="churn-streamer-bench-logs-"))
    for log_file in directory.rglob("*.log"):
        shutil.copy(log_file, kept / f"{log_file.parent.name}-{log_file.name}")
    return kept
