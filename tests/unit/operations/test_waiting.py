"""`streamer status --wait`: until nothing is left, or nothing can come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from streamer.operations.deployment import Deployment, TopicProblem
from streamer.operations.status import waiting
from streamer.operations.status.waiting import left_in, until_read
from tests.unit.operations.test_attention import said, seen


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.0)


def waited(looks: Iterator[Deployment], deadline_s: float = 60) -> tuple[Deployment, list[int]]:
    async def look() -> Deployment:
        return next(looks)

    reported: list[int] = []
    last = asyncio.run(until_read(look, deadline_s, lambda deployment: reported.append(left_in(deployment))))
    return last, reported


def test_it_ends_once_nothing_is_left_in_any_partition() -> None:
    read, forwarded = seen(left=0), seen(left=0)
    forwarded.partitions[1] = msgspec.structs.replace(forwarded.partitions[1], forwarded_lag=3)
    held = seen(said(held=True), said(), left=0)
    looks = [seen(said(), None, left=7), seen(left=2), forwarded, held, read, seen(left=9)]
    last, reported = waited(iter(looks))
    assert last is read
    assert reported == [14, 4, 3, 0]


def test_it_waits_for_no_word_of_a_worker_that_has_gone() -> None:
    gone = seen(said(held=True), said(), members=(), left=0)
    last, reported = waited(iter([gone]))
    assert (last, reported) == (gone, [])


def test_it_ends_with_what_is_left_at_the_deadline() -> None:
    last, reported = waited(iter([seen(left=7)] * 2), deadline_s=-1)
    assert left_in(last) == 14
    assert reported == [14]


def test_it_waits_for_no_worker_that_cannot_start() -> None:
    problem = TopicProblem("churn.alerts.v1", ["missing"], "Create it.")
    last, reported = waited(iter([msgspec.structs.replace(seen(left=7), topic_problems=[problem])]))
    assert (left_in(last), reported) == (14, [])
