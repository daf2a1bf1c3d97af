"""The benchmark as a process, on a real broker: a very small run, and one that is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import psutil

from streamer.bench.input.sizes import PEERS

DEADLINE_S = 150.0
EVENTS = 1_200
PEER_EVENTS = 160
ROUNDS = 2
SCRIPT = f"""
import sys
from pathlib import Path
from schemas.errors import ChurnStreamerError
from streamer.bench.session import run_session
from streamer.bench.input.sizes import Sizes, WorkloadSize
sizes = Sizes(
    workloads={{"session": WorkloadSize(users=600, arena_users=128, events={EVENTS}, peer_users=64)}},
    peer_events=dict.fromkeys({PEERS!r}, {PEER_EVENTS}),
    rounds={ROUNDS},
    histories=128,
    latency_s=0.5,
    floor_steps=640,
    at_once=32,
)
try:
    sys.exit(run_session(sizes, ("session",), Path(sys.argv[1]), print))
except ChurnStreamerError as error:
    print(f"error: {{error}}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


@contextmanager
def bench(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A running benchmark whose output goes to ``output.txt`` and whose files to ``temporary``."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with (tmp_path / "output.txt").open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "report.json")],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def below(process: subprocess.Popen[str]) -> dict[int, tuple[psutil.Process, str]]:
    """The processes below the benchmark that run now, with their command lines."""
    found: dict[int, tuple[psutil.Process, str]] = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[child.pid] = (child, " ".join(child.cmdline()))
    return found


def test_a_small_run_reports_every_contestant_and_floor(tmp_path: Path) -> None:
    with bench(tmp_path) as process:
        code = process.wait(DEADLINE_S)
    output = (tmp_path / "output.txt").read_text()
    # The command itself compares all scores with all events, and fails where one is missing.
    assert code == 0, output
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes())
    assert (report["rounds"], set(report) & {"hot", "session", "cold"}) == (ROUNDS, {"session"})
    found = report["session"]
    assert found["scored_per_cpu_s"] > 0
    assert found["scored_per_wall_s"] > 0
    assert set(found["ratio_to"]) == {*PEERS, "floor"}
    assert all(ratio > 0 for ratio in found["ratio_to"].values())
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert found["latency_ms"]["events"] > 0
    assert found["rss_mb"] > 0
    assert found["worker"]["events_a_round"] == EVENTS
    for peer in PEERS:
        rates = found["peers"][peer]
        assert (rates["events_a_round"], rates["users"]) == (PEER_EVENTS, 64)
        assert rates["per_cpu_s"]["low"] <= rates["per_cpu_s"]["median"] <= rates["per_cpu_s"]["high"]
    assert set(found["floors_us"]) == {"consume", "step", "transaction"}
    assert 0 < found["transaction"]["users"] <= found["transaction"]["events"]
    assert ElementTree.parse(tmp_path / "report.svg").getroot().tag.endswith("svg")
    assert "plain Faust agent" in output
    assert list((tmp_path / "temporary").iterdir()) == []


def test_an_interruption_ends_everything_with_130(tmp_path: Path) -> None:
    with bench(tmp_path) as process:
        deadline = time.monotonic() + DEADLINE_S
        while not any("peers.quix" in line for _, line in below(process).values()):
            assert process.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = [child for child, _ in below(process).values()]
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130, (tmp_path / "output.txt").read_text()
        _, alive = psutil.wait_procs(started, timeout=5)
        assert alive == [], "processes are left"
    assert "Traceback" not in (tmp_path / "output.txt").read_text()
    assert list((tmp_path / "temporary").iterdir()) == []
