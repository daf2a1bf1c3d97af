"""docs/going-live.md, command by command, on a shop of our own."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.event import Event
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.cli import run
from streamer.data.files import write_events
from streamer.inference.bundle import load_bundle
from streamer.policy.file import load_policy
from tests.integration.conftest import Broker
from tests.integration.shop import Shop, wait_for

DOCUMENT = Path(__file__).parents[3] / "docs" / "going-live.md"
DAYS = 200
DOUBT = 0.05
"""A share: a crossing is noticed a little after the edge, as the curve is known at some silences only."""


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def shopping(now_ms: int) -> list[Event]:
    """Some come at their own pace and leave at times; many have stopped within the last four weeks."""
    rng = random.Random(8)
    start_ms = now_ms - DAYS * DAY_MS
    events: list[Event] = []
    for user in range(300):
        stopped = user >= 75
        pace = rng.uniform(2, 4) if stopped else rng.uniform(2, 9)
        last = DAYS - rng.uniform(2, 28) if stopped else DAYS
        day = rng.uniform(0, pace)
        while day < last:
            moment = start_ms + int(day * DAY_MS)
            value = round(rng.uniform(5, 90), 2)
            events.append(Event(f"{user}-{len(events)}", f"u{user}", "purchase", moment, value=value))
            if not stopped and rng.random() < 0.04:
                break
            day += rng.expovariate(1 / pace) if not stopped else rng.uniform(0.7, 1.3) * pace
    return sorted(events, key=lambda event: event.timestamp)


class Reader:
    """Follows the document in a shell, in a folder of its own."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._exports: list[str] = []

    def follow(self, block: str) -> None:
        """Run a block to its end."""
        done = subprocess.run(["sh", "-c", self._script(block)], **self._surroundings(), timeout=300)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self._exports += [line for line in block.splitlines() if line.startswith("export ")]

    @contextmanager
    def in_background(self, block: str) -> Iterator[subprocess.Popen[str]]:
        """Run a block whose last command stays, until the reader is done."""
        assert block.endswith(" &\n")
        before, command = block.removesuffix(" &\n").rsplit("\n", 1)
        script = self._script(f"{before}\nexec {command} 2> worker.log")
        process = subprocess.Popen(["sh", "-c", script], **self._surroundings())
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def _script(self, block: str) -> str:
        bootstrap = self._shop.environment["STREAMER_BOOTSTRAP"]
        written = "\n".join(["set -eu", *self._exports, block])
        return written.replace("127.0.0.1:9092", bootstrap)

    def _surroundings(self) -> dict[str, Any]:
        """Only what keeps this reader apart from others is set: all else is as the document says."""
        apart = ("topic_prefix", "data_dir", "max_batch")
        names = [f"STREAMER_{name.upper()}" for name in apart]
        return {
            "cwd": self._shop.directory,
            "env": {
                **os.environ,
                **{name: self._shop.environment[name] for name in names},
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }


def test_the_commands_ask_nothing_of_date_that_posix_does_not_have() -> None:
    commands = "".join(blocks())
    assert re.findall(r"\bdate\b", commands)
    beyond = re.findall(r"\bdate (?!(?:-u )?\+(?:[-:TZ0-9]|%[YmdHMS])+[ )\"])\S+.*", commands)
    assert not beyond, "GNU date takes more than that of macOS and busybox"


def test_from_history_to_live_alerts(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    # Small batches: the worker must lag behind while it reads the history.
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, max_batch="200")
    events = shopping(now_ms)
    write_events(tmp_path / "shop.ndjson", events)
    reader = Reader(shop)
    topics, export, train, score, policy, worker, look, uplift = blocks()

    reader.follow(topics)
    assert shop.run("replay", str(tmp_path / "shop.ndjson")).returncode == 0
    for block in (export, train, score, policy):
        reader.follow(block)
    manifest = load_bundle(tmp_path / "bundle").manifest
    rules = load_policy(tmp_path / "policy.toml", manifest, 60)
    assert rules.alerts_from_ms is not None
    assert now_ms - 2 * DAY_MS <= rules.alerts_from_ms < now_ms
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert {row["user_id"] for row in csv.DictReader(file)} == {event.user_id for event in events}

    with reader.in_background(worker) as process:

        async def live() -> bool:
            assert process.poll() is None, (tmp_path / "worker.log").read_text()[-3000:]
            if await shop.committed() < len(events):
                return False
            return any(decision["action"] == "sent" for decision in await decisions(shop))

        asyncio.run(wait_for(live, "the first alert after the backfill", 120))
        reader.follow(look)

    decided = lines(tmp_path / "decisions.ndjson")
    of_action = {
        action: [d for d in decided if d["action"] == action] for action in ("backfill", "sent", "held_out")
    }
    assert len(of_action["backfill"]) > 100
    # What began then may still end, or sink, after alerts have begun.
    worse = [d for d in of_action["backfill"] if d["would"] in ("raised", "escalated")]
    assert all(parse_timestamp(d["decided_at"]) < rules.alerts_from_ms for d in worse)
    for decision in (*of_action["sent"], *of_action["held_out"]):
        assert parse_timestamp(decision["decided_at"]) >= rules.alerts_from_ms
    alerts = {alert["subject"] for alert in lines(tmp_path / "alerts.ndjson")}
    assert alerts == {decision["user_id"] for decision in of_action["sent"]}
    then, now = (levels(tmp_path, at_ms, rules.level) for at_ms in (rules.alerts_from_ms, now_ms))
    old_news = {user_id for user_id, level in then.items() if level == now.get(user_id)}
    assert len(old_news) > 30
    assert not alerts & old_news, "an alert about the past was sent"

    reader.follow(uplift)
    found = json.loads((tmp_path / "uplift.json").read_bytes())
    raised = {d["user_id"] for d in decided if d["would"] == "raised" and d["action"] in ("sent", "held_out")}
    assert found["open"] == len(raised)
    assert found["uplift"] is None


async def decisions(shop: Shop) -> list[dict[str, Any]]:
    records = await shop.read(shop.topic("churn.decisions.v1"))
    return [json.loads(record.value or b"") for record in records]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def levels(directory: Path, at_ms: int, level: Callable[[float], int]) -> dict[str, int]:
    """Who is in which band at a time, as far as that is beyond doubt."""
    out = directory / f"scores-{at_ms}.ndjson"
    arguments = ["score", str(directory / "history.parquet"), "--bundle", str(directory / "bundle")]
    assert run([*arguments, "--at", str(at_ms), "--out", str(out)]) == 0
    losses = {
        score["user_id"]: score["expected_loss"]
        for score in lines(out)
        if score["expected_loss"] is not None and score["overdue"] > 1.0 + DOUBT
    }
    return {user: level(loss) for user, loss in losses.items() if 0 < level(loss) == level(lowered(loss))}


def lowered(loss: float) -> float:
    """The lowest that an expected loss may have been."""
    return loss * (1.0 - DOUBT)
