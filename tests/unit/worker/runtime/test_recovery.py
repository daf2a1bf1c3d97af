"""When recovery ends, and what it writes; on Faust's own objects, without a broker."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from faust.tables.recovery import Recovery
from faust.types import TP, ConsumerT

from schemas.errors import StateError
from streamer.kafka.connection import Connection
from streamer.worker.runtime.application import build_application
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.recovery import PositionRecovery, PositionTableManager
from streamer.worker.runtime.stores.store import PartitionStore
from streamer.worker.runtime.transport import BatchConsumer
from streamer.worker.stage.protocol import BatchOutcome

CHANGELOG = "app-users-changelog"
ACTIVE = {TP(CHANGELOG, 0), TP(CHANGELOG, 1)}


class Fetched(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None
    timestamp: int = 0


class IdleStage:
    def opening(
        self,
        partition: int,  # noqa: ARG002 - the protocol's
        items: object,  # noqa: ARG002 - the protocol's
        status: str = "",  # noqa: ARG002 - the protocol's
        next_offset: int = 0,  # noqa: ARG002 - the protocol's
    ) -> Generator[None]:
        yield

    def close(self, partition: int) -> None: ...

    def process(self, partition: int, read: object, records: object, now_ms: int | None) -> BatchOutcome:  # noqa: ARG002 - the protocol's
        return BatchOutcome({}, [])

    def status(self, partition: int, wall_ms: int) -> str:  # noqa: ARG002 - the protocol's
        return ""


@pytest.fixture
def recovery(tmp_path: Path) -> PositionRecovery:
    """Two active changelog partitions with ends 10 and 20, restored up to 4 and 19."""
    options = WorkerOptions(Connection("localhost:1"), "app", "events", tmp_path)
    app = build_application(options, IdleStage())
    app.conf.tabledir.mkdir(parents=True)
    app.finalize()
    recovery = cast(PositionTableManager, app.tables).recovery
    table = app.tables["users"]
    for tp in ACTIVE:
        recovery.active_tps.add(tp)
        recovery.tp_to_table[tp] = table
    recovery.active_highwaters.update({TP(CHANGELOG, 0): 9, TP(CHANGELOG, 1): 19})
    recovery.active_offsets.update({TP(CHANGELOG, 0): 3, TP(CHANGELOG, 1): 18})
    recovery._set_recovery_started()
    return recovery


def test_ends_when_every_position_has_passed_its_end(recovery: PositionRecovery) -> None:
    recovery.restored_to({TP(CHANGELOG, 0): 9, TP(CHANGELOG, 1): 20}, ACTIVE)
    assert not recovery.signal_recovery_end.is_set()
    recovery.restored_to({TP(CHANGELOG, 0): 10, TP(CHANGELOG, 1): 20}, ACTIVE)
    assert recovery.signal_recovery_end.is_set()


def test_does_not_end_before_its_partitions_are_fetched_or_have_a_position(
    recovery: PositionRecovery,
) -> None:
    recovery.restored_to({TP(CHANGELOG, 0): 10, TP(CHANGELOG, 1): 20}, {TP(CHANGELOG, 0)})
    recovery.restored_to({TP(CHANGELOG, 0): 10}, ACTIVE)
    assert not recovery.signal_recovery_end.is_set()


def test_the_end_of_one_recovery_does_not_end_the_next(recovery: PositionRecovery) -> None:
    recovery.restored_to({TP(CHANGELOG, 0): 10, TP(CHANGELOG, 1): 20}, ACTIVE)
    recovery._set_recovery_started()
    assert not recovery.signal_recovery_end.is_set()


def test_writes_what_is_new_and_the_offset_it_reaches(recovery: PositionRecovery) -> None:
    tp = TP(CHANGELOG, 0)
    store = PartitionStore(recovery.tp_to_table[tp])
    store.write(0, [(b"kept", b"newer"), (b"gone", b"x")], 3, 0)
    recovery.restore(
        tp, [Fetched(2, b"kept", b"older"), Fetched(4, b"added", b"1"), Fetched(6, b"gone", None)]
    )
    assert dict(store.items(0)) == {b"kept": b"newer", b"added": b"1"}
    assert recovery.tp_to_table[tp].persisted_offset(tp) == 6


def test_a_store_beyond_the_end_of_its_changelog_is_refused(
    recovery: PositionRecovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_offsets(*_: object) -> None: ...

    monkeypatch.setattr(Recovery, "_build_offsets", read_offsets)
    stored = Counter({TP(CHANGELOG, 0): 9, TP(CHANGELOG, 1): 20})
    with pytest.raises(StateError, match=r"partitions 1.*truncated.*STREAMER_DATA_DIR"):
        asyncio.run(recovery._build_offsets(cast(ConsumerT, None), ACTIVE, stored, "active"))


def test_writes_nothing_of_a_partition_that_is_not_being_recovered(recovery: PositionRecovery) -> None:
    recovery.restore(TP(CHANGELOG, 2), [Fetched(0, b"key", b"value")])
    recovery._set_recovery_ended()
    recovery.restore(TP(CHANGELOG, 0), [Fetched(5, b"key", b"value")])
    store = PartitionStore(recovery.tp_to_table[TP(CHANGELOG, 0)])
    assert [*store.items(0), *store.items(2)] == []


def test_nothing_is_warned_of_that_goes_well(
    recovery: PositionRecovery, caplog: pytest.LogCaptureFixture
) -> None:
    """Faust misses what it would do itself: records in its queue, acknowledgements, commits."""
    long_ago = -1e6
    recovery._recovery_started_at, recovery.stats_interval = long_ago, 0.001
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer.assignment = lambda: pytest.fail("Faust looks for its own commits")

    async def watched() -> None:
        async with asyncio.timeout(60):
            await inspect.getattr_static(PositionRecovery, "_publish_stats").fun(recovery)
            await consumer.verify_all_partitions_active()

    asyncio.run(watched())
    assert not caplog.records


def test_offsets_are_logged_in_one_line(recovery: PositionRecovery) -> None:
    offsets = {TP(CHANGELOG, 1): 19, TP(CHANGELOG, 0): 9}
    shown = f"{CHANGELOG}-0 9, {CHANGELOG}-1 19"
    assert recovery._highwater_logtable(offsets, title="active") == shown
    assert recovery._start_offsets_logtable(offsets, title="active") == shown
