"""The demonstration from nothing to its report: broker, topics, worker, replay, judgement."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from time import monotonic

from schemas.bundle.manifest import MANIFEST_NAME, Manifest, decode_manifest
from schemas.errors import BrokerError, BundleError, ChurnStreamerError, ConfigurationError
from schemas.topics import EVENTS, with_prefix
from streamer.demo.audience.alert_log import ESCALATED, RAISED, RESOLVED
from streamer.demo.audience.audience import Audience
from streamer.demo.audience.outputs_reader import OutputsReader
from streamer.demo.judgement.judge import Judge, Verdict
from streamer.demo.judgement.report import AlertCounts, Report, judgement, versions_of
from streamer.demo.source import CURRENCY, Year, split_at
from streamer.kafka.connection import connection_of
from streamer.kafka.publishing import KeyedRecord, ReplayProgress, replay
from streamer.kafka.topics import create_missing_topics
from streamer.logs.setup import configure_logging
from streamer.processes.broker import LocalBroker
from streamer.processes.broker.starting import start_in_thread
from streamer.processes.child import ChildProcess, last_lines, worker_process
from streamer.processes.supervision import cancel_all, job_beside
from streamer.settings.settings import Settings

BUNDLE = Path(__file__).with_name("bundle")


class DemonstrationError(ChurnStreamerError):
    """A part of the demonstration failed."""


class Demonstration:
    """One run. ``audience`` may be looked at meanwhile; ``hurry`` ends its processes without ceremony."""

    def __init__(self, limit: int | None = None, bundle: Path = BUNDLE) -> None:
        """``limit``: only the first so many events, for a short run."""
        self.manifest, self._bundle_sha256 = _manifest(bundle)
        self.audience = Audience(self.manifest)
        self._limit = limit
        self._bundle = bundle
        self._interrupted = False
        self._broker: LocalBroker | None = None
        self._worker: ChildProcess | None = None

    async def run(self) -> Report:
        """Do everything; returns when the report is made and every process has ended.

        Raises :class:`ChurnStreamerError` when a part fails; the logs are then kept and named.
        """
        directory = Path(tempfile.mkdtemp(prefix="churn-streamer-demo-"))
        try:
            async with AsyncExitStack() as stack:
                return await self._run(directory, stack)
        except ConfigurationError:
            raise
        except ChurnStreamerError as error:
            raise DemonstrationError(f"{error}\nThe logs are kept in {_keep_logs(directory)}") from error
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def hurry(self) -> None:
        """Kill the worker and the broker at once; ``run`` then ends soon."""
        if self._worker is not None:
            self._worker.kill()
        if self._broker is not None:
            self._broker.kill()

    async def _run(self, directory: Path, stack: AsyncExitStack) -> Report:
        audience = self.audience
        _log_to_file(directory / "demo.log", stack)
        audience.doing = "starting Apache Kafka, reading a year of purchases"
        year = Year(audience.households, self._limit)
        stack.callback(year.give_up)
        loading = asyncio.create_task(asyncio.to_thread(year.load))
        stack.push_async_callback(cancel_all, [loading])
        started = monotonic()
        broker = self._broker = LocalBroker(directory / "broker", progress=self._fetching)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        await start_in_thread(broker, self._interrupt)
        settings = Settings(
            bootstrap=broker.bootstrap,
            bundle=self._bundle.absolute(),
            data_dir=directory / "state",
            mode="event-time",
            currency=CURRENCY,
        )
        await create_missing_topics(settings)
        worker = self._worker = worker_process(settings, directory)
        stack.push_async_callback(worker.stop)
        await worker.start()
        reader = OutputsReader(settings, audience)
        stack.push_async_callback(reader.stop)
        await reader.start()
        try:
            verdict = await job_beside(
                self._job(settings, reader, year, loading),
                watched=(_watch_broker(broker), worker.watch()),
                needed=(reader.read(), reader.follow_commits()),
            )
        except ChurnStreamerError:
            # There is nothing left to commit in order, and maybe no broker to do it with.
            self.hurry()
            raise
        return self._report(verdict, reader, worker.peak_rss_mb(), started)

    async def _job(
        self, settings: Settings, reader: OutputsReader, year: Year, loading: asyncio.Task[list[KeyedRecord]]
    ) -> Verdict:
        """Replay, with a look at everybody at each moment that is judged by; then judge."""
        audience = self.audience
        records = await loading
        audience.loading = False
        audience.total = len(records)
        judge = Judge(self.manifest, audience.households, year.events, CURRENCY)
        audience.phase = "replaying"
        audience.doing = "replaying a year through Kafka, at full speed"
        moments_ms = judge.moments_ms
        for index, part in enumerate(split_at(records, moments_ms)):
            await self._publish(settings, part)
            await reader.all_read()
            if index < len(moments_ms):
                judge.look(audience.population.snapshot(moments_ms[index]))
                if moments_ms[index] == judge.evaluated_ms:
                    audience.judged_ms = judge.evaluated_ms
        audience.phase = "judging"
        audience.doing = "comparing the alerts with what the households did"
        # In a thread: what is shown stays alive meanwhile.
        return await asyncio.to_thread(judge.verdict, audience.alerts.raised())

    async def _publish(self, settings: Settings, records: Sequence[KeyedRecord]) -> None:
        done = self.audience.published

        def note(progress: ReplayProgress) -> None:
            self.audience.published = done + progress.records

        events = with_prefix(settings.topic_prefix, EVENTS)
        await replay(connection_of(settings), events, records, report=note)

    def _report(
        self,
        verdict: Verdict,
        reader: OutputsReader,
        worker_peak_rss_mb: float | None,
        started: float,
    ) -> Report:
        audience = self.audience
        first_alert_at = audience.first_alert_at
        seconds = monotonic() - started
        audience.phase = "done"
        audience.doing = f"done: a year of a shop in {seconds:.0f} seconds"
        return Report(
            events=audience.committed,
            events_per_s=round(reader.events_per_s, 1),
            users=len(audience.population),
            scores=audience.scores,
            seconds_to_first_alert=None if first_alert_at is None else round(first_alert_at - started, 2),
            total_seconds=round(seconds, 2),
            alerts=AlertCounts(*(audience.alerts.count(kind) for kind in (RAISED, ESCALATED, RESOLVED))),
            evaluation=judgement(verdict.evaluation, verdict.confrontation),
            confrontation=verdict.confrontation,
            lost=verdict.lost,
            dead_letters=audience.dead_letters,
            worker_peak_rss_mb=worker_peak_rss_mb,
            versions=versions_of(self.manifest, self._bundle_sha256),
        )

    def _interrupt(self) -> None:
        self._interrupted = True

    def _fetching(self, present: int, needed: int) -> None:
        if self._interrupted:
            raise BrokerError("interrupted while Apache Kafka was fetched")
        self.audience.doing = f"fetching Apache Kafka, this first time only: {present} of {needed} files"


async def _watch_broker(broker: LocalBroker) -> None:
    """Raise :class:`BrokerError` as soon as the broker ends by itself."""
    status = await asyncio.to_thread(broker.wait)
    raise BrokerError(
        f"Apache Kafka ended with status {status} before its work was done. Its last log lines:\n"
        f"{last_lines(broker.log_file)}"
    )


def _log_to_file(file: Path, stack: AsyncExitStack) -> None:
    """Until ``stack`` ends log to ``file``: what libraries log would tear the terminal's picture."""
    root = logging.getLogger()
    before = list(root.handlers)
    configure_logging("console", "warning", stack.enter_context(file.open("w")))
    stack.callback(root.handlers.__setitem__, slice(None), before)


def _keep_logs(directory: Path) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="churn-streamer-demo-logs-"))
    for log_file in (directory / "worker.log", directory / "demo.log", directory / "broker" / "kafka.log"):
        if log_file.exists():
            shutil.copy(log_file, kept)
    return kept


def _manifest(bundle: Path) -> tuple[Manifest, str]:
    file = bundle / MANIFEST_NAME
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"the demo's model bundle lacks {file} ({error.strerror}): install churn-streamer again"
        ) from error
    return decode_manifest(data, str(file)), sha256(data).hexdigest()
