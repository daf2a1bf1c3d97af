"""The example consumer on a real PostgreSQL: everything twice, shuffled and with a crash, ends the same."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import ALERTS
from streamer.inference.bundle import load_bundle
from streamer.testing import StageDriver
from streamer.worker.run import build_stage
from streamer.worker.stage.protocol import Record
from tests.integration.conftest import Broker
from tests.integration.shop import (
    DEMO_BUNDLE,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    Shop,
    wait_for,
)
from tests.integration.worker.test_worker_kills import shopping

CONSUMER = Path(__file__).parents[3] / "examples" / "crm_consumer" / "consumer.py"


def alert_with(**changed: object) -> bytes:
    data = {"alert_id": "a", "revision": 1, "user_id": "u", "status": "open", "band": "watch"}
    known = {"reason": "silence", "risk": {"probability": 0.5}, **changed}
    return json.dumps({"time": changed.get("time", "2017-01-01T00:00:00Z"), "data": data | known}).encode()


NO_ALERTS = (
    *(None, b"", b"{broken", b"[]", b'{"data": null}', b"\xff", b"[" * 100_000),
    *(alert_with(revision=None), alert_with(revision=10**30), alert_with(risk=0.5)),
    *(alert_with(user_id="a\0b"), alert_with(time="soon")),
)


Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL of this test's own; the address of its server, to which a database's name is added."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine (initdb and postgres, as of `apt-get install postgresql`)")
    owner = _owner()
    # Not below pytest's folder, which nobody but its owner may enter.
    data = Path(tempfile.mkdtemp(prefix="crm-postgres-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    try:
        if owner is not None:
            os.chown(data, owner.pw_uid, owner.pw_gid)
        initdb = [
            str(programs / "initdb"),
            "--no-sync",
            "-A",
            "trust",
            "-U",
            "crm",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run([*initdb, "-D", str(data)], check=True, capture_output=True, **_as(owner))
        options = ["-D", data, "-p", port, "-k", data, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        server = subprocess.Popen([str(programs / "postgres"), *map(str, options)], **_as(owner))
        try:
            address = f"postgresql://crm@127.0.0.1:{port}"
            asyncio.run(wait_for(lambda: _answers(f"{address}/postgres"), "PostgreSQL"))
            yield address
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait(30)
    finally:
        shutil.rmtree(data)


def _programs() -> Path | None:
    """Folder of the server's programs, the newest version's where there are several."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).parent
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda path: int(path.parent.name), default=None)


def _owner() -> pwd.struct_passwd | None:
    """Whom to run the server as where we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "cwd": "/"}


async def _answers(address: str) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(address):
            return True
    except psycopg.OperationalError:
        return False


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Alerts of customers who come, stop and come back, as a worker sends them; some are still open."""
    shop = Shop("127.0.0.1:9", "", tmp_path_factory.mktemp("shop"))
    partition = StageDriver(build_stage(shop.settings, load_bundle(DEMO_BUNDLE), partitions=1))
    records = [
        Record(offset, timestamp_ms, user_id.encode(), value)
        for offset, (user_id, value, timestamp_ms) in enumerate(shopping(users=200, days=300, seed=3))
    ]
    messages = [message for batch in partition.apply(records) for message in batch.messages]
    sent = [message.value for message in messages if message.topic == ALERTS and message.value is not None]
    return sent[: len(sent) // 2]


def final_rows(alerts: list[bytes]) -> list[Row]:
    """The highest revision of each alert, worked out without a database."""
    newest: dict[str, dict[str, Any]] = {}
    for alert in map(json.loads, alerts):
        data = alert["data"]
        if data["revision"] > newest.get(data["alert_id"], {"data": {"revision": 0}})["data"]["revision"]:
            newest[data["alert_id"]] = alert
    columns = ("alert_id", "revision", "user_id", "status", "band", "reason")
    return sorted(
        (
            *(alert["data"][column] for column in columns),
            alert["data"]["risk"]["probability"],
            datetime.fromisoformat(alert["time"]),
        )
        for alert in newest.values()
    )


async def publish(shop: Shop, messages: list[bytes | None]) -> int:
    """Send to the alerts' topic, each user's in this order; returns how many there are."""
    async with AIOKafkaProducer(bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"]) as producer:
        for message in messages:
            key = json.loads(message)["subject"].encode() if message not in NO_ALERTS else b"u"
            await producer.send(shop.topic(ALERTS), message, key)
        await producer.flush()
    return len(messages)


class Crm:
    """A consumer process with a group and a database of its own."""

    def __init__(self, shop: Shop, postgres: str, name: str) -> None:
        with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.address = f"{postgres}/{name}"
        self.log = shop.directory / f"{name}.log"
        self._group = f"{shop.prefix}{name}"
        self._bootstrap = shop.environment["STREAMER_BOOTSTRAP"]
        self._environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP": self._bootstrap,
            "ALERTS_TOPIC": shop.topic(ALERTS),
            "CONSUMER_GROUP": self._group,
            "DATABASE_URL": self.address,
        }

    def run_until_read(self, count: int) -> None:
        """Let it run until it has committed ``count`` records, then kill it: it must not need a farewell."""
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, str(CONSUMER)], env=self._environment, stderr=log)
        try:
            asyncio.run(wait_for(lambda: self._has_read(count, process), f"{count} records", deadline_s=60))
        finally:
            process.kill()
            process.wait(30)

    def rows(self, relation: str = "alerts") -> list[Row]:
        with psycopg.connect(self.address) as connection:
            return sorted(connection.execute(f"SELECT * FROM {relation}".encode()).fetchall())

    async def _has_read(self, count: int, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.log.read_text()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self._group)
        except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError):
            return False  # a fresh broker still creates the topic of offsets
        finally:
            await admin.close()
        return sum(max(found.offset, 0) for found in offsets.values()) >= count


def test_twice_shuffled_and_killed_on_the_way_it_ends_in_the_same_state(
    broker: Broker, topic_prefix: str, tmp_path: Path, postgres: str, alerts: list[bytes]
) -> None:
    expected = final_rows(alerts)
    still_open = [row for row in expected if row[3] == "open"]
    assert len(alerts) > 1.5 * len(expected) > 100
    assert 10 < len(still_open) < len(expected) / 2

    plain = Shop(broker.bootstrap, f"{topic_prefix}plain.", tmp_path)
    assert plain.run("topics", "--apply").returncode == 0
    once = Crm(plain, postgres, "once")
    once.run_until_read(asyncio.run(publish(plain, [*alerts])))
    assert once.rows() == expected
    assert once.rows("open_alerts") == still_open

    shuffled: list[bytes | None] = [*alerts, *alerts, *NO_ALERTS]
    random.Random(1).shuffle(shuffled)
    wild = Shop(broker.bootstrap, f"{topic_prefix}wild.", tmp_path)
    assert wild.run("topics", "--apply").returncode == 0
    twice = Crm(wild, postgres, "twice")
    count = asyncio.run(publish(wild, shuffled))
    twice.run_until_read(1)
    twice.run_until_read(count)
    assert twice.rows() == expected
    assert twice.rows("open_alerts") == still_open
    assert twice.log.read_text().count("no alert, skipped") >= len(NO_ALERTS)
