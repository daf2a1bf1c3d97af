"""One truth: what a worker published over Kafka is what the same events give offline."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet
import pytest
from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from schemas.event import Event
from schemas.score import Score
from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.topics import ALERTS, DECISIONS, EVENTS, SCORES
from streamer.analysis.scoring.history import records_of
from streamer.analysis.scoring.scores import scores_at
from streamer.cli import run
from streamer.data.datasets import dataset_events
from streamer.data.files import write_events
from streamer.inference.bundle import load_bundle
from streamer.inference.risk_model import OnnxRiskModel
from streamer.testing import StageDriver
from streamer.worker.run import build_stage
from tests.integration.conftest import Broker
from tests.integration.shop import DEMO_BUNDLE, Shop

HOUSEHOLDS = 600
PARTITIONS = 4
POLICY = """\
alerts_from = 2017-03-01T00:00:00Z
holdout_share = 0.1
daily_budget = 20
"""

Published = list[ConsumerRecord[bytes | None, bytes | None]]


class Online(NamedTuple):
    """What a worker made of ``events``."""

    shop: Shop
    events: list[Event]
    alerts: Published
    decisions: Published
    scores: dict[str, Score]


def households(count: int) -> list[Event]:
    """A year of Complete Journey's first households."""
    events = list(dataset_events("complete-journey"))
    chosen = set(sorted({event.user_id for event in events}, key=int)[:count])
    return [event for event in events if event.user_id in chosen]


@pytest.fixture(scope="module")
def online(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Online:
    directory = tmp_path_factory.mktemp("online")
    (directory / "policy.toml").write_text(POLICY)
    prefix = f"offline{random.randrange(16**8):x}."
    shop = Shop(broker.bootstrap, prefix, directory, policy=str(directory / "policy.toml"))
    events = households(HOUSEHOLDS)
    write_events(directory / "events.parquet", events)
    for command in (("topics", "--apply"), ("replay", str(directory / "events.parquet"))):
        done = shop.run(*command)
        assert done.returncode == 0, done.stderr
    with shop.worker() as worker:
        asyncio.run(shop.wait_until_committed(len(events), worker, deadline_s=300))
    alerts, decisions, scores = (
        asyncio.run(shop.read(shop.topic(name))) for name in (ALERTS, DECISIONS, SCORES)
    )
    # A later score of a user stands behind the earlier ones, all in one partition.
    newest = {record.key: record.value for record in scores}
    decoded = [msgspec.json.decode(value, type=Score) for value in newest.values() if value is not None]
    return Online(shop, events, alerts, decisions, {score.user_id: score for score in decoded})


def test_every_household_has_the_score_that_was_published(online: Online) -> None:
    """At the moment of its last score, and at every point of its risk curve."""
    bundle = load_bundle(DEMO_BUNDLE)
    partition = StageDriver(build_stage(online.shop.settings, bundle, partitions=1))
    for _ in partition.apply(records_of(online.events)):
        pass
    users, model = partition.users(), OnnxRiskModel(bundle, arena_users=64)
    assert set(users) == set(online.scores) == {event.user_id for event in online.events}

    moments = {user_id: parse_timestamp(score.scored_at) for user_id, score in online.scores.items()}
    days = bundle.manifest.risk_days
    for scored in scores_at(users, moments, model, days, any_event_returns=False):
        published = online.scores[scored.user_id]
        assert scored.risk == pytest.approx(published.risk, abs=1e-5)
        assert published.absence is not None
        assert scored.absence == pytest.approx(published.absence.probability, abs=1e-5)
        loss = published.expected_loss and published.expected_loss.amount
        assert scored.expected_loss == (None if loss is None else pytest.approx(loss, abs=0.02, rel=1e-4))
        assert scored.overdue == published.overdue
        assert scored.last_event_at == published.last_event_at
        assert scored.horizon_days == published.horizon_days

    compared = 0
    for step, silence_ms in enumerate(model.silence_grid_ms):
        watched = {user_id: users[user_id] for user_id, s in online.scores.items() if s.risk_curve}
        moments = {user_id: state.last_ms + silence_ms for user_id, state in watched.items()}
        for scored in scores_at(watched, moments, model, days, any_event_returns=False):
            point = online.scores[scored.user_id].risk_curve[step]
            assert scored.absence == pytest.approx(point.probability, abs=1e-5)
            compared += 1
    assert compared > HOUSEHOLDS * 6


def test_alerts_and_decisions_are_those_of_an_offline_run_of_the_stage(online: Online) -> None:
    """Byte for byte, partition by partition: backfill, holdout, budget and all."""
    of_partition: dict[int, list[Event]] = defaultdict(list)
    partitioner, numbers = DefaultPartitioner(), list(range(PARTITIONS))
    for event in online.events:
        of_partition[partitioner(event.user_id.encode(), numbers, numbers)].append(event)
    settings = online.shop.settings
    stage = build_stage(settings, load_bundle(DEMO_BUNDLE), PARTITIONS)
    offline: dict[str, list[tuple[int, bytes | None, bytes | None]]] = defaultdict(list)
    for number in numbers:
        for batch in StageDriver(stage, number).apply(records_of(of_partition[number])):
            for message in batch.messages:
                offline[message.topic].append((number, message.key, message.value))
    for name, published in ((ALERTS, online.alerts), (DECISIONS, online.decisions)):
        expected = [(record.partition, record.key, record.value) for record in published]
        assert offline[online.shop.topic(name)] == expected
        assert len(expected) > 100
    actions = {msgspec.json.decode(record.value or b"")["action"] for record in online.decisions}
    assert actions == {"sent", "suppressed", "held_out", "backfill"}
    assert not offline[online.shop.topic(EVENTS)]


@pytest.mark.parametrize("suffix", [".ndjson", ".csv", ".parquet"])
def test_the_command_gives_the_published_score_from_files_in_any_order(
    online: Online, tmp_path: Path, suffix: str
) -> None:
    silent = sorted(user_id for user_id, score in online.scores.items() if score.risk_curve)
    score = online.scores[random.Random(suffix).choice(silent)]
    point = score.risk_curve[2]
    at_ms = parse_timestamp(score.last_event_at) + 1000 * point.silent_for_s
    some = {score.user_id, *silent[:30]}
    events = [event for event in online.events if event.user_id in some]
    random.Random(5).shuffle(events)
    half = len(events) // 2
    write_events(tmp_path / "a.ndjson.gz", events[:half])
    write_events(tmp_path / "b.parquet", events[half:])
    out = tmp_path / f"scores{suffix}"
    files = [str(tmp_path / "a.ndjson.gz"), str(tmp_path / "b.parquet")]
    at = format_timestamp(at_ms)
    assert run(["score", *files, "--bundle", str(DEMO_BUNDLE), "--at", at, "--out", str(out)]) == 0
    rows = {str(row["user_id"]): row for row in read(out)}
    assert set(rows) == {event.user_id for event in events if event.timestamp < at_ms}
    assert float(rows[score.user_id]["absence"]) == pytest.approx(point.probability, abs=1e-5)
    assert rows[score.user_id]["horizon_days"] == 56
    risks = [row["risk"] for row in rows.values()]
    assert risks == sorted(risks, reverse=True)


def read(path: Path) -> list[dict[str, Any]]:
    """A file of scores, through a reader that is not ours."""
    if path.suffix == ".parquet":
        return arrow_parquet.read_table(path).to_pylist()
    if path.suffix == ".csv":
        text = arrow_csv.ConvertOptions(column_types={"user_id": "string", "last_event_at": "string"})
        return arrow_csv.read_csv(path, convert_options=text).to_pylist()
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_without_a_file_a_table_is_shown_and_who_is_gone_is_not_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day_ms, start_ms = 86_400_000, 1_483_228_800_000
    events = [
        Event(f"{user}{day}", user, "purchase", start_ms + day * day_ms, value=5.0)
        for user, last in (("gone", 10), ("there", 300))
        for day in range(0, last, 7)
    ]
    write_events(tmp_path / "events.csv", events)
    at = format_timestamp(start_ms + 420 * day_ms)
    arguments = ["score", str(tmp_path / "events.csv"), "--bundle", str(DEMO_BUNDLE), "--at", at]
    assert run(arguments) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    columns = ["user_id", "risk", "horizon_days", "last_event_at", "absence", "expected_loss", "overdue"]
    assert header.split() == columns
    assert [row.split()[0] for row in rows] == ["there"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--out", "scores.xlsx"], "does not say what the file is"),
        (["--at", "noon"], "'noon' is not a time"),
        (["--out", "no/such/folder/scores.csv"], "cannot be written"),
    ],
)
def test_wrong_use_is_told_in_words(
    tmp_path: Path, change: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path / "events.csv", [Event("e", "u", "purchase", 1_483_228_800_000)])
    arguments = ["score", str(tmp_path / "events.csv"), "--bundle", str(DEMO_BUNDLE), "--at", "2017-02-01"]
    assert run([*arguments, *change]) == 2
    assert message in capsys.readouterr().err
