"""The year that is replayed: Complete Journey as records of the events topic."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from operator import itemgetter

from streamer.data.datasets import dataset_events
from streamer.demo.judgement.households import Households
from streamer.kafka.publishing import KeyedRecord, event_records

SOURCE = "complete-journey"


class Year:
    """Reads the records by time, and notes every purchase in ``households``; made for a thread of its own."""

    def __init__(self, households: Households, limit: int | None = None) -> None:
        """``limit``: only the first so many events."""
        self._households = households
        self._limit = limit
        self._given_up = False

    def load(self) -> list[KeyedRecord]:
        """All records; cut short by :meth:`give_up`."""
        records: list[KeyedRecord] = []
        for key, value, time_ms in event_records(islice(dataset_events(SOURCE), self._limit)):
            if self._given_up:
                break
            self._households.note(key.decode(), time_ms)
            records.append((key, value, time_ms))
        return records

    def give_up(self) -> None:
        """Let :meth:`load` end soon; called from another thread."""
        self._given_up = True


def split_at(
    records: Sequence[KeyedRecord], moment_ms: int
) -> tuple[Sequence[KeyedRecord], Sequence[KeyedRecord]]:
    """The records before ``moment_ms`` and those from it on."""
    index = bisect_left(records, moment_ms, key=itemgetter(2))
    return records[:index], records[index:]
