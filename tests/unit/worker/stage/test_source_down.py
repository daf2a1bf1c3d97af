"""A source that is quiet, and partitions that lag: whose silence it is."""

from __future__ import annotations

from schemas.units import DAY_MS
from streamer.worker.stage.protocol import BatchOutcome, Record
from tests.unit.worker.stage.test_scoring_stage import (
    START,
    Worker,
    new_stage,
    purchase,
    source_down,
    source_down_in,
)


def test_while_the_source_is_down_nobody_is_alarmed_on() -> None:
    worker = Worker()
    arrived = START + 40 * DAY_MS
    worker.process(purchase("e1", "u", 40), now_ms=arrived)
    assert worker.process(now_ms=arrived + 30 * DAY_MS) == BatchOutcome({}, [], news=True)
    assert worker.process(now_ms=arrived + 30 * DAY_MS) == BatchOutcome({}, [])
    assert source_down(worker)
    worker.process(purchase("e2", "other", 40), now_ms=arrived + 30 * DAY_MS)
    assert not source_down(worker)


def test_while_one_partition_lags_a_quiet_one_does_not_take_the_source_for_down() -> None:
    stage, table = new_stage(partitions=2, live=True), dict[bytes, bytes]()
    for partition in (0, 1):
        stage.open(partition, [])
    arrived = START + 40 * DAY_MS
    stage.process(1, table.get, [Record(0, arrived, b"key", purchase("e1", "u", 40))], arrived)
    later = arrived + DAY_MS
    stage.process(0, table.get, [Record(0, arrived, b"key", purchase("e1", "v", 40))], None)
    stage.process(1, table.get, [], later)
    assert not source_down_in(stage)
    stage.process(0, table.get, [], None)
    assert not source_down_in(stage)
    stage.process(0, table.get, [], later)
    assert stage.process(1, table.get, [], later) == BatchOutcome({}, [])
    assert source_down_in(stage)
    stage.process(0, table.get, [Record(1, later, b"key", purchase("e2", "v", 40))], None)
    assert not source_down_in(stage)
    stage.close(0)
    stage.process(1, table.get, [], later)
    assert source_down_in(stage, 1)
