"""A broker that starts is known to other commands, until it answers or its process ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.processes.broker import announcement
from streamer.processes.broker.announcement import announced_start, is_starting, wait_for_start
from streamer.processes.broker.jars import jar_cache

PORT = 4711
OTHER_PROCESS = f"""
from streamer.processes.broker.announcement import announced_start
with announced_start({PORT}):
    print("announced", flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return jar_cache().parent


@contextmanager
def start_elsewhere() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OTHER_PROCESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "announced\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_start_is_announced_until_it_is_over(cache: Path) -> None:
    with start_elsewhere() as process:
        assert is_starting(PORT)
        assert not is_starting(PORT + 1)
        process.communicate("\n")
        assert not is_starting(PORT)
    assert not list(cache.iterdir())


def test_a_start_whose_process_was_killed_is_over() -> None:
    with start_elsewhere() as process:
        process.kill()
        process.wait()
        assert not is_starting(PORT)


def test_a_second_start_leaves_the_firsts_announcement_alone() -> None:
    with start_elsewhere():
        with announced_start(PORT):
            pass
        assert is_starting(PORT)


def test_a_cache_that_cannot_be_written_hinders_no_start(cache: Path) -> None:
    cache.touch()
    with announced_start(PORT):
        assert not is_starting(PORT)


class Clock:
    """Time that passes while somebody sleeps, and what is the case by then."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, starts: tuple[float, float], answers_s: float
    ) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(announcement.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(announcement.time, "sleep", self._sleep)
        monkeypatch.setattr(announcement, "is_starting", lambda _port: starts[0] <= self.now_s < starts[1])
        monkeypatch.setattr(announcement, "broker_answers", lambda *_: self.now_s >= answers_s)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds


NEVER = (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("starts", "answers_s", "waited_s", "told"),
    [
        (NEVER, 0, 0, 0),
        (NEVER, float("inf"), announcement.GRACE_S, 0),
        ((0, 90), 90, 90, 1),
        ((2, 90), 90, 90, 1),
        ((1, 60), float("inf"), 60, 1),
        ((0, float("inf")), float("inf"), announcement.LONGEST_START_S, 1),
    ],
    ids=["answers", "none", "fetches its jars", "called later", "fails", "takes for ever"],
)
def test_what_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, starts: tuple[float, float], answers_s: float, waited_s: float, told: int
) -> None:
    clock = Clock(monkeypatch, starts, answers_s)
    said: list[str] = []
    wait_for_start([PORT], said.append)
    assert clock.now_s == pytest.approx(waited_s, abs=3 * announcement.POLL_S)
    assert said == [f"a broker starts at 127.0.0.1:{PORT}: waiting until it answers"] * told
