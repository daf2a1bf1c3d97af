"""One campaign: a shop under load, faults after one another, and the checker's judgement in the end."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS, EVENTS
from streamer.processes.broker import LocalBroker, local_broker
from tests.faults.checker import Observed
from tests.faults.findings import Finding
from tests.faults.fleet import Fleet
from tests.faults.inject.field import Field
from tests.faults.link import make_link
from tests.faults.load import Load
from tests.faults.observation import observe, undone
from tests.faults.progress import NotRecoveredError, Progress
from tests.faults.reading import Rows, read_topic
from tests.faults.reference import KEPT
from tests.faults.report import Struck, TrialReport, blame, fault_reports
from tests.faults.schedule import Strike
from tests.faults.small_disk import SmallDisk
from tests.faults.trial import Ended, Plan, Trial
from tests.faults.worker_process import REDIRECT
from tests.integration.shop import Shop

PARTITIONS = 4
WORKERS = ("one", "two")
CATCH_UP_DEADLINE_S = 180.0
PREFIX = "faults."

Say = Callable[[str], None]


async def run_campaign(plan: Plan, trial: Trial, directory: Path, say: Say) -> TrialReport:
    """Run the plan with everything that it leaves behind in ``directory``."""
    with local_broker(directory / "broker") as broker:
        # The first bundle lies in the repository, later ones in ``directory``.
        settings = {"partitions": str(PARTITIONS), "bundle_root": "/", **trial.settings}
        shop = Shop(broker.bootstrap, PREFIX, directory, **settings)
        applied = shop.run("topics", "--apply")
        assert applied.returncode == 0, applied.stderr
        return await _Campaign(plan, trial, shop, broker, directory, say).run()


class _Campaign:
    def __init__(
        self, plan: Plan, trial: Trial, shop: Shop, broker: LocalBroker, directory: Path, say: Say
    ) -> None:
        self._plan, self._trial, self._say = plan, trial, say
        fleet = Fleet(shop)
        for name in WORKERS:
            fleet.add(name).wanted = False
        outputs = [shop.topic(topic) for topic in KEPT]
        progress = Progress(broker.bootstrap, shop.settings.group_id, shop.topic(EVENTS), outputs, PARTITIONS)
        self._field = Field(shop, broker, fleet, progress, directory, PARTITIONS, trial.crowd)
        self._load = Load(broker.bootstrap, shop.topic(EVENTS))
        self._struck: list[Struck] = []
        self._findings: list[Finding] = []
        self._started_ms = _now_ms()
        # As it is before any model is exchanged.
        self._environment = dict(shop.environment)

    async def run(self) -> TrialReport:
        async with self._running():
            await self._field.progress.recovery_s(self._field.all_partitions, monotonic())
            for worker in self._field.fleet.workers.values():
                await self._field.seated(worker)
            self._say("all partitions are processed; faults begin")
            await self._strike_all()
            stopped_ms = await self._finish()
        return await asyncio.to_thread(self._judge, stopped_ms)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        """The load, the workers under their supervisor, and the sampling of their progress."""
        await asyncio.to_thread(self._load.send_all, self._trial.backlog())
        await self._connect()
        self._load.start(self._trial.records(), self._trial.per_s)
        tasks = [
            asyncio.create_task(self._field.fleet.supervise()),
            asyncio.create_task(self._field.progress.watch()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._field.fleet.kill_all()
            self._field.progress.close()
            for link in self._field.links.values():
                await link.close()
            for disk in self._field.disks.values():
                disk.unmount()

    async def _connect(self) -> None:
        """Give each worker that stays a network and a disk of its own, and let it start."""
        for index, worker in enumerate(self._field.fleet.workers.values()):
            link = make_link(os.getpid() * len(WORKERS) + index, self._field.broker.port, self._say)
            self._field.links[worker.name] = link
            await link.start()
            worker.prefix = link.prefix
            worker.environment[REDIRECT] = link.route
            data_dir = Path(worker.environment["STREAMER_DATA_DIR"])
            self._field.disks[worker.name] = SmallDisk(data_dir, self._say)
            worker.wanted = True

    async def _strike_all(self) -> None:
        until = monotonic() + self._plan.minutes * 60
        for strike in self._plan.schedule:
            if monotonic() > until:
                self._say("the time is up; the rest of the schedule is left out")
                return
            await self._strike(strike)

    async def _strike(self, strike: Strike) -> None:
        counted = f"{strike.number:>3}/{len(self._plan.schedule)}"
        from_ms, recovery_s = _now_ms(), None
        try:
            aftermath = await self._plan.faults[strike.kind].inject(self._field, strike)
            recovery_s = aftermath.recovery_s
            if recovery_s is None:
                recovery_s = await self._field.progress.recovery_s(aftermath.partitions, aftermath.since)
            self._say(f"{counted}  {strike}  recovered in {recovery_s:5.2f} s")
        except Exception as error:  # the campaign goes on, and is judged in the end
            self._findings.append(Finding("not_recovered", -1, f"{strike.kind}: {error!r}", at_ms=from_ms))
            self._say(f"{counted}  {strike}  FAILED: {error!r}")
        self._struck.append(Struck(strike.kind, from_ms, _now_ms(), recovery_s))
        await asyncio.sleep(strike.pause_s)

    async def _finish(self) -> tuple[int, int]:
        """Stop the load, let the workers come to the end of it, and stop them; returns when that was."""
        self._say("the load ends; the workers catch up")
        await asyncio.to_thread(self._load.stop)
        shop, fleet = self._field.shop, self._field.fleet
        ends = {tp.partition: end for tp, end in (await shop.ends(shop.topic(EVENTS))).items()}
        try:
            await self._field.progress.reached(ends, CATCH_UP_DEADLINE_S)
            for worker in fleet.workers.values():
                await self._field.seated(worker)
        except (NotRecoveredError, TimeoutError) as error:
            self._findings.append(Finding("unfinished", -1, str(error), at_ms=_now_ms()))
        # What wall time decides of what has just been caught up with is decided within a few ticks.
        await asyncio.sleep(self._trial.settle_s)
        begun_ms = _now_ms()
        for worker in list(fleet.workers.values()):
            status = await fleet.stop(worker)
            if status not in (0, None):
                what = f"{worker.name} ended with status {status} in the end"
                self._findings.append(Finding("unfinished", -1, what, at_ms=_now_ms()))
        return begun_ms, _now_ms()

    def _judge(self, stopped_ms: tuple[int, int]) -> TrialReport:
        self._say("reading all topics")
        events = read_topic(self._field.broker.bootstrap, self._field.shop.topic(EVENTS))
        observed = observe(self._field, events)
        self._say(f"the reference goes over {sum(map(len, events.values())):,} records, one by one")
        ended = Ended(self._field, self._environment, events, observed, stopped_ms)
        self._findings += self._trial.judge(ended)
        return self._report(observed, events)

    def _report(self, observed: Mapping[int, Observed], events: Rows) -> TrialReport:
        def total(topic: str) -> int:
            return sum(len(partition.kept[topic]) for partition in observed.values())

        blamed = blame(self._findings, self._struck, map(self._committed_ms, self._findings))
        kinds = [fault.kind for fault in self._plan.faults.values()]
        exits = Counter(
            str(status) for worker in self._field.fleet.workers.values() for _, status in worker.exits
        )
        return TrialReport(
            trial=self._trial.settings["mode"],
            faults=fault_reports(kinds, self._struck, blamed),
            started_at=format_timestamp(self._started_ms),
            seconds=round((_now_ms() - self._started_ms) / 1000, 1),
            events=sum(map(len, events.values())),
            users=sum(len(partition.scores) for partition in observed.values()),
            alerts=total(ALERTS),
            decisions=total(DECISIONS),
            dead_letters=total(DEAD_LETTERS),
            undone_alerts=undone(self._field, observed),
            worker_exits=dict(sorted(exits.items())),
            struck=self._struck,
            findings=self._findings,
        )

    def _committed_ms(self, finding: Finding) -> int | None:
        """When the input that an objection is about was committed."""
        if finding.cause is None:
            return None
        cause, partition = finding.cause, finding.partition
        samples = self._field.progress.samples
        return next((sample.at_ms for sample in samples if sample.committed[partition] > cause), None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
