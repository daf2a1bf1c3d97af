"""The demonstration as a process: from nothing to its report, interrupted, and with a part that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

DEADLINE_S = 120.0
EVENTS = 6_000
SCRIPT = """
import sys
from pathlib import Path
from schemas.errors import ChurnStreamerError
from streamer.demo.session import run_session
report = Path(sys.argv[1]) if sys.argv[1] else None
try:
    sys.exit(run_session(headless=sys.argv[2] == "headless", report_file=report, limit=int(sys.argv[3])))
except ChurnStreamerError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


class Demo:
    """A running demonstration, the lines it printed, and the processes it started."""

    def __init__(self, process: subprocess.Popen[str], temporary: Path, output: Path) -> None:
        self.process = process
        self.temporary = temporary
        self._output = output
        self.started: dict[int, psutil.Process] = {}

    @property
    def output(self) -> str:
        return self._output.read_text()

    def look(self) -> None:
        """Remember every process that is below the demo now."""
        try:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.started.setdefault(child.pid, child)
        except psutil.NoSuchProcess:
            pass

    def child(self, *words: str) -> psutil.Process | None:
        """The process below the demo whose command line has all of ``words``."""
        self.look()
        for child in self.started.values():
            try:
                line = " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                return child
        return None

    def wait_for(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not happened():
            self.look()
            assert self.process.poll() is None, f"the demo ended early: {self.output}"
            assert time.monotonic() < deadline, f"it never happened: {self.output}"
            time.sleep(0.05)

    def end(self) -> int:
        """Wait for the end, and for the end of everything that was started."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            self.look()
            assert time.monotonic() < deadline, f"the demo does not end: {self.output}"
            time.sleep(0.05)
        _, alive = psutil.wait_procs(list(self.started.values()), timeout=5)
        assert alive == [], "processes are left"
        return self.process.returncode


@contextmanager
def demo(tmp_path: Path, *arguments: str) -> Iterator[Demo]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    output = tmp_path / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    running = Demo(process, temporary, output)
    try:
        yield running
    finally:
        running.look()
        process.kill()
        process.wait()
        for child in running.started.values():
            if child.is_running():
                child.kill()


def test_a_short_run_reports_what_came_out_of_kafka_and_leaves_nothing(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    with demo(tmp_path, str(report_file), "headless", str(EVENTS)) as running:
        assert running.end() == 0, running.output
        report = msgspec.json.decode(report_file.read_bytes())
        assert report["events"] == EVENTS
        assert report["alerts"]["raised"] > 0
        assert report["scores"] > 0
        assert report["dead_letters"] == 0
        assert report["seconds_to_first_alert"] < report["total_seconds"]
        assert report["evaluation"]["at"] == "2017-12-03T00:00:00Z"
        assert "baskets" in running.output
        assert list(running.temporary.iterdir()) == []
        assert running.child("kafka.Kafka") is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_in_the_middle_ends_everything_with_130(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo(tmp_path, "", "page", "60000") as running:
        running.wait_for(lambda: "baskets, " in running.output)
        assert running.child("kafka.Kafka") is not None
        assert running.child("main()", "worker") is not None
        running.process.send_signal(number)
        assert running.end() == 130, running.output
        assert list(running.temporary.iterdir()) == []
        assert "Traceback" not in running.output


def test_an_interruption_while_kafka_starts_ends_everything_with_130(tmp_path: Path) -> None:
    with demo(tmp_path, "", "headless", str(EVENTS)) as running:
        running.wait_for(lambda: running.child("java"))
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 130, running.output
        assert list(running.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("main()", "worker"), "the worker ended with status -9"),
        (("kafka.Kafka",), "Apache Kafka ended with"),
    ],
)
def test_a_part_that_dies_ends_the_demo_with_its_log(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    with demo(tmp_path, "", "page", "60000") as running:
        running.wait_for(lambda: "baskets, " in running.output)
        victim = running.child(*words)
        assert victim is not None
        victim.kill()
        assert running.end() == 1, running.output
        assert said in running.output
        assert "The logs are kept in" in running.output
        (kept,) = running.temporary.iterdir()
        assert (kept / "worker.log").stat().st_size > 0
        assert (kept / "kafka.log").stat().st_size > 0
