"""What became of the records read last: minutes of a busy partition, a hundred records of a quiet one."""

from __future__ import annotations

import json

from schemas.units import MINUTE_MS
from streamer.worker.stage.partition.counters import Counters, count
from streamer.worker.stage.partition.partition_status import decode_status
from streamer.worker.stage.partition.recent_reads import SPAN_MS, SPAN_RECORDS, ReadsWatch, RecentReads
from tests.unit.worker.stage.test_scoring_stage import START, Worker, new_stage


def shares(recent: RecentReads | None) -> tuple[int, int, int]:
    assert recent is not None
    return recent.records, recent.refused, recent.skipped


def test_what_is_long_over_is_forgotten_once_enough_has_come() -> None:
    counters = Counters()
    watch = ReadsWatch(counters, None)
    assert watch.look(counters, START) is None
    counters.records = 200
    count(counters.dead_letters, "not-json", 200)
    assert shares(watch.look(counters, START)) == (200, 200, 0)
    assert shares(watch.look(counters, START + 10 * SPAN_MS)) == (200, 200, 0), "nothing has come since"
    counters.records += SPAN_RECORDS
    assert shares(watch.look(counters, START + SPAN_MS)) == (200 + SPAN_RECORDS, 200, 0)
    counters.records += SPAN_RECORDS
    found = watch.look(counters, START + 2 * SPAN_MS)
    assert shares(found) == (200, 0, 0)
    assert found is not None
    assert (found.until_ms, found.cause) == (START + 2 * SPAN_MS, "not-json")


def test_a_quiet_partition_s_slip_does_not_become_a_share() -> None:
    counters = Counters()
    watch = ReadsWatch(counters, None)
    for minute in range(0, 99 * 10, 10):
        counters.records += 1
        count(counters.skipped, "anonymous", minute == 0)
        watch.look(counters, START + minute * MINUTE_MS)
    assert shares(watch.recent) == (99, 0, 1)


def test_it_outlives_its_worker_and_names_what_came_last() -> None:
    worker = Worker(event_format="segment")
    worker.process(b"no event", b"no event", segment_call("Purchase"))
    status = worker.stage.status(0, START)
    worker.stage = new_stage(event_format="segment")
    worker.stage.open(0, worker.table.items(), status)
    worker.process(segment_call("Level Up"))
    worker.process(segment_call("Purchase"))
    found = decode_status(worker.stage.status(0, START + 1))
    assert found is not None
    assert shares(found.recent) == (5, 2, 3)
    assert found.recent is not None
    assert (found.recent.cause, found.recent.reason) == ("not-json", "unknown-type")
    assert found.counters.spellings == {"Level Up": 1, "Purchase": 2}


def segment_call(event: str) -> bytes:
    return json.dumps({"type": "track", "event": event, "userId": "7"}).encode()


def test_what_was_erased_is_no_fault_of_the_shop() -> None:
    counters = Counters()
    watch = ReadsWatch(counters, None)
    counters.records = 5
    count(counters.skipped, "erased", 5)
    assert shares(watch.look(counters, START)) == (5, 0, 0)
