"""The year that is replayed: Complete Journey as records of the events topic."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Final

from schemas.event import Event
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.history.token import tokenise
from streamer.data.datasets import dataset_events
from streamer.demo.judgement.households import Households
from streamer.kafka.publishing import KeyedRecord, event_records

SOURCE: Final = "complete-journey"
CURRENCY: Final = "USD"


class Year:
    """Reads the records by time, and notes every purchase in ``households``; made for a thread of its own.

    ``events``: what was read, as the core counts it, to judge by.
    """

    def __init__(self, households: Households, limit: int | None = None) -> None:
        """``limit``: only the first so many events."""
        self.events: list[PartitionEvent] = []
        self._households = households
        self._limit = limit
        self._given_up = False

    def load(self) -> list[KeyedRecord]:
        """All records; cut short by :meth:`give_up`."""
        return list(event_records(self._noted()))

    def give_up(self) -> None:
        """Let :meth:`load` end soon; called from another thread."""
        self._given_up = True

    def _noted(self) -> Iterator[Event]:
        for offset, event in enumerate(islice(dataset_events(SOURCE), self._limit)):
            if self._given_up:
                return
            time_ms, token = event.timestamp, tokenise(event, CURRENCY)
            self._households.note(event.user_id, time_ms, event.value or 0.0)
            self.events.append(PartitionEvent(offset, time_ms, event.user_id, token))
            yield event


def split_at(records: Sequence[KeyedRecord], moments_ms: Sequence[int]) -> Iterator[Sequence[KeyedRecord]]:
    """The records before the first of the ascending moments, those from each one on, up to the next, ..."""
    begin = 0
    for moment_ms in moments_ms:
        end = bisect_left(records, moment_ms, key=itemgetter(2))
        yield records[begin:end]
        begin = end
    yield records[begin:]
