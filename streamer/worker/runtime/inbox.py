"""What was fetched of one partition and waits for its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

MOST_BYTES: Final = 64 * 1024 * 1024


class Fetched(NamedTuple):
    """Consumer records of one fetch, all of ``topic``. ``still_ours``: no rebalance has come since."""

    topic: str
    records: Sequence[Any]
    still_ours: Callable[[], bool]


class Inbox:
    """Fetched records in their order: at most ``most``, or one fetch of more, whoever has more waits.

    They hold at most :data:`MOST_BYTES` in their values, or one fetch of more: a few KiB of a broker's answer
    can be that many.

    Who takes gets all that goes into one transaction, so a partition that keeps up has small ones, and
    one whose transactions take long, or that is behind, has large ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Fetched] = deque()
        self._records = 0
        self._bytes = 0
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        """How many records wait."""
        return self._records

    async def put(self, fetched: Fetched) -> None:
        """Add at least one record; waits while there is no room."""
        size = _value_bytes(fetched)
        while self._waiting and (
            self._records + len(fetched.records) > self._most or self._bytes + size > MOST_BYTES
        ):
            self._taken.clear()
            await self._taken.wait()
        self._waiting.append(fetched)
        self._records += len(fetched.records)
        self._bytes += size

    def take(self) -> tuple[str, list[Any]]:
        """The topic of the oldest fetch, and its records with those of the same topic right behind it.

        Without those that are no longer ours, which their partition's owner fetches again.
        """
        topic, taken = self._waiting[0].topic, list[Any]()
        while self._waiting and self._waiting[0].topic == topic:
            fetched = self._waiting.popleft()
            self._records -= len(fetched.records)
            self._bytes -= _value_bytes(fetched)
            if fetched.still_ours():
                taken += fetched.records
        self._taken.set()
        return topic, taken


def _value_bytes(fetched: Fetched) -> int:
    return sum(record.serialized_value_size for record in fetched.records)
