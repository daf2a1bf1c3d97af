"""What one pass over files of events keeps of them: some 25 bytes an event, whatever the events hold."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.event import EVENT_TYPE_CODES, Event
from streamer.data.files import ReadCounts
from streamer.data.files.rows import LeftOut, Row, Unreadable

_MOST_KINDS: Final = 100
_MOST_CURRENCIES: Final = 100
_OTHER: Final = ("other", "")


@dataclass
class Wrong:
    """So many rows are no events for one reason; ``first`` is the message for the first of them."""

    first: str
    rows: int = 0


@dataclass
class Collected:
    """Of each event, in the order read: hashes of its user and of its user and id, its time, its type's code.

    ``wrong``: by kind and field. ``currencies``: of purchases, "" where none is given. ``late``: events that
    are older than one before them in their file, at most by ``latest_ms``.
    """

    users: array[int] = field(default_factory=lambda: array("q"))
    ids: array[int] = field(default_factory=lambda: array("q"))
    times_ms: array[int] = field(default_factory=lambda: array("q"))
    types: array[int] = field(default_factory=lambda: array("B"))
    counts: ReadCounts = field(default_factory=ReadCounts)
    wrong: dict[tuple[str, str], Wrong] = field(default_factory=lambda: dict[tuple[str, str], Wrong]())
    currencies: Counter[str] = field(default_factory=lambda: Counter[str]())
    without_amount: int = 0
    negative_amounts: int = 0
    late: int = 0
    latest_ms: int = 0

    def read(self, rows: Iterable[Row]) -> None:
        """Take in the rows of one file."""
        newest_ms = 0
        for row in rows:
            if isinstance(row, Event):
                self._add(row)
                if row.timestamp < newest_ms:
                    self.late += 1
                    self.latest_ms = max(self.latest_ms, newest_ms - row.timestamp)
                newest_ms = max(newest_ms, row.timestamp)
            elif isinstance(row, LeftOut):
                self.counts.leave_out(row)
            else:
                self._add_wrong(row)

    def _add(self, event: Event) -> None:
        self.counts.events += 1
        self.counts.unknown_fields += event.unknown_fields
        self.users.append(hash(event.user_id))
        self.ids.append(hash((event.user_id, event.event_id)))
        self.times_ms.append(event.timestamp)
        self.types.append(EVENT_TYPE_CODES[event.type])
        if event.type != "purchase":
            return
        currency = event.currency or ""
        if currency in self.currencies or len(self.currencies) < _MOST_CURRENCIES:
            self.currencies[currency] += 1
        if event.value is None:
            priced = bool(event.items) and all(item.price is not None for item in event.items)
            self.without_amount += not priced
        else:
            self.negative_amounts += event.value < 0

    def _add_wrong(self, row: Unreadable) -> None:
        # One kind for all items of a list.
        name = (row.kind, (row.field or "").partition("[")[0])
        if name not in self.wrong and len(self.wrong) >= _MOST_KINDS:
            name = _OTHER
        self.wrong.setdefault(name, Wrong(row.message)).rows += 1
