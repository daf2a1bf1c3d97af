"""What must have come out: the scoring stage over the input in memory, one record after the other.

No Kafka, no Faust, no batches, no restarts, and a table that is a dictionary.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS, SCORES, with_prefix
from schemas.wire.encoding import Headers
from streamer.inference.bundle import load_bundle
from streamer.settings.loading import load_settings
from streamer.settings.settings import Settings
from streamer.worker.run import build_stage
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.partition_status import decode_status
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.scoring_stage import ScoringStage
from tests.faults.reading import Row, Rows

Made = TypeVar("Made")

KEPT = (ALERTS, DECISIONS, DEAD_LETTERS)
"""Topics of which every record counts, not only the newest of a key."""


class Effect(NamedTuple):
    """A record that must have been written, because of the input record at ``cause``."""

    cause: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass
class Expected:
    """What one partition's input makes. ``kept``: the effects by topic of the contract, in order."""

    kept: dict[str, list[Effect]] = field(default_factory=lambda: {topic: [] for topic in KEPT})
    scores: dict[bytes, bytes] = field(default_factory=dict)
    table: dict[bytes, bytes] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)


class Exchange(NamedTuple):
    """Another model was taken up: records from these offsets on, by partition, belong to ``bundle``."""

    offsets: Mapping[int, int]
    bundle: Path


def expect(
    environment: Mapping[str, str], events: Rows, exchanges: Sequence[Exchange] = ()
) -> dict[int, Expected]:
    """What ``events`` must make under the worker's settings in ``environment``, by partition."""
    return by_partition(expect_partition, environment, events, dict.fromkeys(events, (exchanges,)))


def by_partition(
    function: Callable[..., Made],
    environment: Mapping[str, str],
    events: Rows,
    arguments: Mapping[int, tuple[Any, ...]],
) -> dict[int, Made]:
    """``function(environment, partition, partitions, rows, *arguments)`` for each, on two processors."""
    # Spawned: a forked process would share the broker connections of this one.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as pool:
        futures = {
            partition: pool.submit(
                function, dict(environment), partition, len(events), rows, *arguments[partition]
            )
            for partition, rows in events.items()
        }
        return {partition: future.result() for partition, future in futures.items()}


def expect_partition(
    environment: Mapping[str, str],
    partition: int,
    partitions: int,
    rows: Sequence[Row],
    exchanges: Sequence[Exchange] = (),
) -> Expected:
    """What one partition's records make; offsets where no record lies belong to no effect."""
    settings = load_settings(environment=environment)
    expected = Expected()
    stage = _stage(settings, settings.bundle, partitions)
    stage.open(partition, ())
    pending = list(exchanges)
    contract = {with_prefix(settings.topic_prefix, name): name for name in KEPT}
    scores = {with_prefix(settings.topic_prefix, SCORES): expected.scores}
    for row in rows:
        while pending and row.offset >= pending[0].offsets[partition]:
            said = stage.status(partition, 0)
            stage = _stage(settings, pending.pop(0).bundle, partitions)
            stage.open(partition, expected.table.items(), said)
        for message in apply_record(stage, partition, row, expected.table, scores):
            effect = Effect(row.offset, message.key, message.value, message.headers)
            expected.kept[contract[message.topic]].append(effect)
    status = decode_status(stage.status(partition, 0))
    assert status is not None
    expected.counters = status.counters
    return expected


def apply_record(
    stage: ScoringStage,
    partition: int,
    row: Row,
    table: dict[bytes, bytes],
    compacted: Mapping[str, dict[bytes, bytes]],
) -> list[Message]:
    """Apply one record to ``table``; messages to ``compacted`` topics go there, the others are returned."""
    record = Record(row.offset, row.timestamp_ms, row.key, row.value, row.headers)
    outcome = stage.process(partition, table.get, [record], None)
    _write(table, outcome.state)
    others: list[Message] = []
    for message in outcome.messages:
        if message.topic in compacted:
            _write(compacted[message.topic], {message.key or b"": message.value})
        else:
            others.append(message)
    return others


def _stage(settings: Settings, bundle: Path | None, partitions: int) -> ScoringStage:
    assert bundle is not None, "the shop's settings name a bundle"
    return build_stage(settings, load_bundle(bundle, "cpu", settings.arena_precision), partitions)


def _write(table: dict[bytes, bytes], writes: Mapping[bytes, bytes | None]) -> None:
    for key, value in writes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
