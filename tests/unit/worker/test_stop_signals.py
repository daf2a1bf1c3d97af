"""A worker that is told to stop while it starts ends with 0, and so does one whose terminal goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

STREAMER = Path(sys.executable).with_name("streamer")
DEADLINE_S = 60


@pytest.fixture
def silent_broker() -> Iterator[socket.socket]:
    """Accepts connections and says nothing, so that a worker goes on starting."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE_S)
        yield listening


def starting_worker(
    broker: socket.socket, data_dir: Path, before: Callable[[], object] | None = None
) -> tuple[subprocess.Popen[str], socket.socket]:
    """A worker's process, and its connection to the broker that it waits for."""
    environment = {
        **os.environ,
        "STREAMER_BOOTSTRAP": f"127.0.0.1:{broker.getsockname()[1]}",
        "STREAMER_DATA_DIR": str(data_dir),
    }
    process = subprocess.Popen(
        [STREAMER, "worker"], env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )
    return process, broker.accept()[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_that_waits_for_its_broker_ends_with_0(
    silent_broker: socket.socket, tmp_path: Path, number: signal.Signals
) -> None:
    process, connection = starting_worker(silent_broker, tmp_path)
    with connection:
        process.send_signal(number)
        _, told = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, told) == (0, "")


def test_under_nohup_a_hangup_ends_nothing(silent_broker: socket.socket, tmp_path: Path) -> None:
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 - a hook
    process, connection = starting_worker(silent_broker, tmp_path, ignored)
    with connection:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
