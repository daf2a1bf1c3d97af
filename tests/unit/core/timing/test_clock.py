"""How far a record may move a partition's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.dead_letter import ERROR_CLASS
from schemas.errors import MalformedEventError
from schemas.event import Event
from schemas.timestamps import LATEST_MS
from schemas.wire.decoding import decode_event
from streamer.core.alerts.policy import DAY_MS
from streamer.core.timing.clock import AHEAD_OF_WALL_MS, latest_ms, written_ms
from streamer.kafka.connection import Connection
from streamer.worker.runtime.inbox import Inbox
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.owned_partition import OwnedPartition, Source
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.stage.protocol import BatchOutcome, Record
from tests.unit.worker.runtime.test_recovery import IdleStage
from tests.unit.worker.stage.test_scoring_stage import START, Worker, counted, on, purchase

NOW = START + 40 * DAY_MS
YEARS_AHEAD = NOW + 401 * DAY_MS
DEAD_LETTERS = "shop.churn.dlq.v1"


@pytest.mark.parametrize(
    ("timestamp_ms", "wall_ms", "expected"),
    [
        (NOW - 5, NOW, NOW - 5),
        (NOW + AHEAD_OF_WALL_MS, NOW, NOW + AHEAD_OF_WALL_MS),
        (YEARS_AHEAD, NOW, NOW + AHEAD_OF_WALL_MS),
        (-1, NOW, NOW + AHEAD_OF_WALL_MS),
        (YEARS_AHEAD, None, YEARS_AHEAD),
        (-1, None, LATEST_MS),
        (2**62, None, LATEST_MS),
    ],
)
def test_when_a_record_counts_as_written(timestamp_ms: int, wall_ms: int | None, expected: int) -> None:
    assert written_ms(timestamp_ms, latest_ms(wall_ms)) == expected


@pytest.mark.parametrize("wall_ms", [NOW, None])
def test_an_event_whose_record_has_no_timestamp_keeps_its_own_time(wall_ms: int | None) -> None:
    event = decode_event(purchase("e1", "u", 40), None, written_ms(-1, latest_ms(wall_ms)))
    assert isinstance(event, Event)
    assert event.timestamp == NOW


def test_an_event_that_takes_its_time_from_a_record_without_one_is_refused() -> None:
    request = b'{"user_id":"u","client_id":"c","events":[{"name":"purchase","params":{}}]}'
    with pytest.raises(MalformedEventError, match="timestamp_micros"):
        decode_event(request, None, written_ms(-1, latest_ms(None)), "ga4")
    assert isinstance(decode_event(request, None, written_ms(-1, latest_ms(NOW)), "ga4"), Event)


class Recording(IdleStage):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[tuple[Sequence[Record], int | None]] = []

    def process(self, partition: int, read: object, records: Any, now_ms: int | None) -> BatchOutcome:  # noqa: ARG002 - the protocol's
        self.batches.append((records, now_ms))
        return BatchOutcome({}, [])


def handed_to_stage(directory: Path, timestamp_ms: int, *, live: bool) -> tuple[Record, int | None]:
    """A record of a partition that lags, as the stage gets it, with the wall time that it gets."""

    async def run() -> tuple[Record, int | None]:
        options = WorkerOptions(Connection("localhost:1"), "app", "events", directory, live=live)
        stage, store = Recording(), SimpleNamespace(reader=lambda _: None, write=lambda *_: None)

        async def fail(error: BaseException) -> None:
            raise error

        partitions = Partitions(options, stage, cast(Any, store), fail, lambda _: False)
        commit: Callable[..., Awaitable[None]] = lambda *_: asyncio.sleep(0)  # noqa: E731 - a stand-in
        writer = cast(Any, SimpleNamespace(commit=commit))
        source = Source(0, position=1, highwater=9)
        owned = OwnedPartition(writer, {"events": source}, "", Inbox(1), open=True)
        fetched = SimpleNamespace(offset=0, timestamp=timestamp_ms, key=b"k", value=b"v", headers=())
        await partitions._run_fetched(0, owned, "events", [fetched])
        await partitions._committed(owned)
        ((records, now_ms),) = stage.batches
        return records[0], now_ms

    return asyncio.run(run())


def test_a_worker_in_live_mode_believes_no_timestamp_beyond_wall_time(tmp_path: Path) -> None:
    for timestamp_ms in (2**60, -1):
        record, now_ms = handed_to_stage(tmp_path, timestamp_ms, live=True)
        assert NOW < record.timestamp_ms < LATEST_MS
        assert now_ms is None, "such a timestamp does not tell that the partition is in the present"
    assert handed_to_stage(tmp_path, NOW, live=True)[0].timestamp_ms == NOW
    assert handed_to_stage(tmp_path, NOW, live=False)[0].timestamp_ms == NOW
    assert handed_to_stage(tmp_path, -1, live=False)[0].timestamp_ms == LATEST_MS


def bounded_worker() -> Worker:
    worker = Worker()
    serving = worker.stage.models.serving
    rules = serving.rules._replace(longest_gap_ms=90 * DAY_MS)
    worker.stage.models.serving = serving._replace(rules=rules)
    worker.stage.open(0, [])
    return worker


def test_an_event_that_would_move_the_clock_too_far_is_a_dead_letter_and_moves_nothing() -> None:
    worker = bounded_worker()
    worker.process(purchase("e1", "u", 0), record_ms=START)
    outcome = worker.process(
        purchase("e2", "v", 401), purchase("e3", "w", 1), purchase("e4", "v", 402), record_ms=YEARS_AHEAD
    )
    letters = on(DEAD_LETTERS, outcome)
    assert [dict(letter.headers)[ERROR_CLASS] for letter in letters] == [b"clock-jump", b"clock-jump"]
    message = dict(letters[0].headers)["error-message"]
    assert message is not None
    assert b"STREAMER_LONGEST_GAP_DAYS" in message
    assert letters[0].value == purchase("e2", "v", 401)
    assert {b"u", b"w"} <= set(worker.table)
    assert b"v" not in worker.table
    assert counted(worker.stage).events == 2
    assert counted(worker.stage).dead_letters == {"clock-jump": 2}


def test_a_redriven_event_is_applied_once_the_bound_is_wider() -> None:
    worker = bounded_worker()
    worker.process(purchase("e1", "u", 0), purchase("e2", "v", 120), record_ms=YEARS_AHEAD)
    assert b"v" not in worker.table
    wider = Worker()
    wider.table = worker.table
    wider.stage.open(0, list(worker.table.items()))
    wider.process(purchase("e2", "v", 120), record_ms=YEARS_AHEAD)
    assert b"v" in wider.table
