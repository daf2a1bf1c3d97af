"""What waits for a partition: together into one transaction, in order, never more than fits."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from streamer.worker.runtime.inbox import MOST_BYTES, Fetched, Inbox


class Numbered(NamedTuple):
    """A record by its number."""

    number: int
    serialized_value_size: int = 10


def numbered(*numbers: int) -> list[Numbered]:
    return [Numbered(number) for number in numbers]


def ours() -> bool:
    return True


def test_fetches_of_one_topic_are_taken_together_in_their_order() -> None:
    async def run() -> None:
        inbox = Inbox(10)
        await inbox.put(Fetched("events", numbered(1, 2), ours))
        await inbox.put(Fetched("events", numbered(3), ours))
        await inbox.put(Fetched("forwarded", numbered(4), ours))
        await inbox.put(Fetched("events", numbered(5), ours))
        assert len(inbox) == 5
        assert inbox.take() == ("events", numbered(1, 2, 3))
        assert inbox.take() == ("forwarded", numbered(4))
        assert inbox.take() == ("events", numbered(5))
        assert len(inbox) == 0

    asyncio.run(run())


def test_who_has_more_than_fits_waits_until_some_are_taken() -> None:
    async def run() -> None:
        inbox = Inbox(3)
        await inbox.put(Fetched("events", numbered(1, 2), ours))
        waiting = asyncio.create_task(inbox.put(Fetched("events", numbered(3, 4), ours)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert len(inbox) == 2
        assert inbox.take() == ("events", numbered(1, 2))
        await waiting
        assert inbox.take() == ("events", numbered(3, 4))

    asyncio.run(run())


def test_a_fetch_larger_than_the_inbox_finds_room_alone() -> None:
    async def run() -> None:
        inbox = Inbox(1)
        await inbox.put(Fetched("events", numbered(1, 2, 3), ours))
        assert inbox.take() == ("events", numbered(1, 2, 3))

    asyncio.run(run())


def test_what_would_fill_the_memory_waits() -> None:
    async def run() -> None:
        inbox = Inbox(10)
        large = [Numbered(1, MOST_BYTES)]
        await inbox.put(Fetched("events", large, ours))
        waiting = asyncio.create_task(inbox.put(Fetched("events", numbered(2), ours)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert inbox.take() == ("events", large)
        await waiting
        assert inbox.take() == ("events", numbered(2))

    asyncio.run(run())


def test_what_a_rebalance_has_given_away_is_dropped() -> None:
    async def run() -> None:
        inbox = Inbox(10)
        await inbox.put(Fetched("events", numbered(1), lambda: False))
        await inbox.put(Fetched("events", numbered(1, 2), ours))
        assert inbox.take() == ("events", numbered(1, 2))
        await inbox.put(Fetched("events", numbered(3), lambda: False))
        assert inbox.take() == ("events", [])
        assert not inbox

    asyncio.run(run())
