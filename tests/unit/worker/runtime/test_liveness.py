"""When a worker is taken to be stuck: something to do, and nothing done for too long."""

from __future__ import annotations

import pytest

from streamer.worker.runtime.liveness import Liveness

PATIENCE_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A liveness with one open partition whose loops go round every second while time passes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.liveness = Liveness(PATIENCE_S, self.clock)

    def pass_s(
        self, seconds: int, *, busy: tuple[int, ...] = (), ticks: bool = True, fetches: bool = True
    ) -> None:
        for _ in range(seconds):
            self.clock.now_s += 1
            if ticks:
                self.liveness.ticked(busy)
            if fetches:
                self.liveness.fetched()

    def complaint(self, owned: int = 1, opened: int = 1) -> str | None:
        return self.liveness.complaint(owned=owned, opened=opened)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_idle_for_days_is_well(watched: Watched) -> None:
    watched.pass_s(200_000)
    assert watched.complaint() is None


def test_work_that_is_committed_again_and_again_is_well(watched: Watched) -> None:
    for _ in range(20):
        watched.pass_s(50, busy=(3,))
        watched.liveness.committed(3)
    assert watched.complaint() is None


def test_work_that_waits_for_too_long(watched: Watched) -> None:
    watched.pass_s(61, busy=(3,))
    assert watched.complaint() is None
    watched.pass_s(1, busy=(3,))
    complaint = watched.complaint()
    assert complaint is not None
    assert "partition 3" in complaint
    watched.liveness.committed(3)
    assert watched.complaint() is None


def test_another_partitions_commits_do_not_count(watched: Watched) -> None:
    for _ in range(4):
        watched.pass_s(20, busy=(3, 4))
        watched.liveness.committed(4)
    assert "partition 3" in str(watched.complaint())


@pytest.mark.parametrize(("loop", "words"), [("ticks", "clock"), ("fetches", "record")])
def test_a_loop_that_has_stopped(watched: Watched, loop: str, words: str) -> None:
    ticks, fetches = loop != "ticks", loop != "fetches"
    watched.pass_s(10)
    watched.pass_s(60, ticks=ticks, fetches=fetches)
    assert watched.complaint() is None
    watched.pass_s(1, ticks=ticks, fetches=fetches)
    assert words in str(watched.complaint())


def test_a_long_recovery_is_well_while_it_goes_on(watched: Watched) -> None:
    for _ in range(100):
        watched.pass_s(30, ticks=False, fetches=False)
        watched.liveness.moved()
    assert watched.complaint(owned=4, opened=0) is None
    watched.pass_s(61, ticks=False, fetches=False)
    assert "restored" in str(watched.complaint(owned=4, opened=0))


def test_loops_have_their_time_again_after_a_recovery(watched: Watched) -> None:
    watched.pass_s(10)
    watched.pass_s(300, ticks=False, fetches=False)
    watched.liveness.moved()
    assert watched.complaint() is None


def test_without_partitions_there_is_nothing_to_do(watched: Watched) -> None:
    watched.pass_s(1000, ticks=False, fetches=False)
    assert watched.complaint(owned=0, opened=0) is None
