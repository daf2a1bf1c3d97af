"""One workload from its start to its figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from streamer.bench.contest.backlog import score_backlog, warm_up
from streamer.bench.contest.contestant import Contestant
from streamer.bench.contest.contestants import peer_contestant, worker_contestant
from streamer.bench.contest.latency import latency
from streamer.bench.contest.measured import Meter, folder_bytes
from streamer.bench.contest.observer import Observer
from streamer.bench.contest.sample import Sample
from streamer.bench.contest.verification import ScoresReader, scores_reader, verify
from streamer.bench.floor_runs import Floors, prepare_floors
from streamer.bench.floors.spec import FLOORS, Spent
from streamer.bench.input.prepared import Prepared
from streamer.bench.input.sizes import PEERS, Sizes, WorkloadName
from streamer.bench.report.figures import rates, ratios, spent_us, spread
from streamer.bench.report.report import Batches, Start, WorkloadReport
from streamer.processes.supervision import job_beside
from streamer.settings.settings import Settings
from streamer.worker.stage.partition.partition_status import decode_status

Say = Callable[[str], None]
"""Told what happens now, in words."""


@dataclass
class Field:
    """What the workloads of one run have in common. ``settings``: the broker and the bundle."""

    sizes: Sizes
    settings: Settings
    prepared: Prepared
    observer: Observer
    broker_pid: int
    directory: Path
    say: Say


async def run_workload(workload: WorkloadName, field: Field) -> WorkloadReport:
    """Bring everybody to the start, run the rounds, and count what came out.

    Raises :class:`~schemas.errors.ChurnStreamerError` when a process ends or leaves events unscored.
    """
    sizes, size = field.sizes, field.sizes.workloads[workload]
    field.say(f"{workload}: giving {size.users:,} users a past")
    async with AsyncExitStack() as stack:
        worker = await worker_contestant(workload, sizes, field.settings, field.prepared, field.directory)
        peers = [
            await peer_contestant(name, workload, sizes, field.settings, field.prepared, field.directory)
            for name in PEERS
        ]
        floors = await prepare_floors(worker, size, sizes, field.prepared, field.directory)
        for contestant in (worker, *peers):
            stack.push_async_callback(contestant.process.stop)
            await contestant.process.start()
        reader = await stack.enter_async_context(scores_reader(worker))
        rounds = _Rounds(workload, field, worker, peers, floors, reader)
        return await job_beside(
            rounds.run(), watched=[each.process.watch() for each in (worker, *peers)], needed=()
        )


class _Rounds:
    def __init__(
        self,
        workload: WorkloadName,
        field: Field,
        worker: Contestant,
        peers: list[Contestant],
        floors: Floors,
        reader: ScoresReader,
    ) -> None:
        self._workload: WorkloadName = workload
        self._field = field
        self._worker = worker
        self._peers = peers
        self._floors = floors
        self._reader = reader
        self._samples: defaultdict[str, list[Sample]] = defaultdict(list)
        self._spent: defaultdict[str, list[Spent]] = defaultdict(list)

    async def run(self) -> WorkloadReport:
        field, worker, size = self._field, self._worker, self._field.sizes.workloads[self._workload]
        start = await self._until_ready()
        await self._warm_up()
        await self._reader.read_on()
        batches, before = Batches(0.0, 0.0), (self._reader.scores, self._reader.markers)
        for number in range(field.sizes.rounds):
            batches = await self._round(number, before)
        per_wall_s = spread([sample.per_wall_s for sample in self._samples["worker"]]).median
        self._say("latency at half of the load")
        waits = await latency(worker, per_wall_s / 2, field.sizes.latency_s)
        self._say("counting the scores")
        await verify(worker, self._reader, field.observer)
        for peer in self._peers:
            async with scores_reader(peer) as reader:
                await verify(peer, reader, field.observer)
        figures = {
            each.name: rates(self._samples[each.name], each.users, each.process.rss_mb())
            for each in (worker, *self._peers)
        }
        ours = figures.pop("worker")
        peers = {peer.name: self._samples[peer.name] for peer in self._peers}
        return WorkloadReport(
            users=size.users,
            arena_users=size.arena_users,
            scored_per_cpu_s=ours.per_cpu_s.median,
            scored_per_wall_s=ours.per_wall_s.median,
            ratio_to=ratios(self._samples["worker"], peers, self._spent),
            latency_ms=waits,
            rss_mb=ours.rss_mb,
            worker=ours,
            peers=figures,
            floors_us={floor: spread(list(map(spent_us, self._spent[floor])), 2) for floor in FLOORS},
            transaction=batches,
            start=start,
            alerts=await self._alerts(),
        )

    async def _round(self, number: int, before: tuple[int, int]) -> Batches:
        """Everybody once, each round beginning with another."""
        field = self._field
        everybody = [self._worker, *self._peers]
        turn = number % len(everybody)
        for contestant in everybody[turn:] + everybody[:turn]:
            self._say(f"round {number + 1} of {field.sizes.rounds}, {contestant.name}")
            meter = Meter(contestant.process.pid, field.broker_pid)
            sample = await score_backlog(contestant, field.observer, meter)
            self._samples[contestant.name].append(sample)
        await self._reader.read_on()
        transactions = self._reader.markers - before[1]
        events = sum(sample.events for sample in self._samples["worker"])
        batches = Batches(
            round(events / transactions, 1), round((self._reader.scores - before[0]) / transactions, 1)
        )
        for floor in FLOORS:
            self._say(f"round {number + 1} of {field.sizes.rounds}, {floor} alone")
            self._spent[floor].append(await self._floors.measure(floor, batches))
        return batches

    async def _until_ready(self) -> Start:
        worker, observer = self._worker, self._field.observer
        self._say("recovering")
        started, settings = monotonic(), worker.settings
        await worker.until_ready(observer)
        seconds = monotonic() - started
        cpu_s = Meter(worker.process.pid, self._field.broker_pid).read().cpu_s
        for peer in self._peers:
            await peer.until_committed(observer, peer.primed)
        disk = folder_bytes(settings.data_dir)
        return Start(
            seconds=round(seconds, 2),
            cpu_s=round(cpu_s, 2),
            users_per_s=round(worker.users / seconds, 1),
            disk_bytes_per_user=round(disk / worker.users, 1),
        )

    async def _warm_up(self) -> None:
        """What nobody measures: the first events, and of a hot set every user's."""
        size = self._field.sizes.workloads[self._workload]
        self._say("warming up")
        hot = self._workload == "hot"
        await warm_up(self._worker, self._field.observer, 3 * size.users if hot else size.events // 10)
        for peer in self._peers:
            await warm_up(peer, self._field.observer, peer.events // 10)

    async def _alerts(self) -> int:
        worker = self._worker
        group, topic = worker.settings.group_id, worker.events_topic
        committed = await self._field.observer.committed(group, topic)
        statuses = [decode_status(each.metadata) for each in committed.values()]
        return sum(sum(status.counters.alerts.values()) for status in statuses if status is not None)

    def _say(self, what: str) -> None:
        self._field.say(f"{self._workload}: {what}")
