"""RetailRocket: 2.76 million views, carts and transactions of 1.4 million visitors, May to September 2015.

Source: Retailrocket, "Retailrocket recommender system dataset" (Kaggle), CC BY-NC-SA 4.0. ``--from`` takes
its ``events.csv`` (timestamp in milliseconds, visitorid, event, itemid, transactionid), also .gz and .zst.

- view, addtocart and transaction become view, add_to_cart and purchase. There are no prices, and an item's
  category is in other files of the source.
- The rows of one transactionid are one purchase with several items, at the time of its first row. They are
  held in memory; the file has 22,457.
- A row that occurs twice counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from schemas.event import Event, Item
from schemas.wire.decoding import EARLIEST_TIMESTAMP_MS
from streamer.data.datasets.ordering import in_order
from streamer.data.datasets.source_file import csv_rows, require_file, wrong_cell
from streamer.data.files.formats.fields import LATEST_RECORD_MS

EXPECTED: Final = "events.csv: timestamp, visitorid, event, itemid, transactionid"
_TYPES: Final = {"view": "view", "addtocart": "add_to_cart", "transaction": "purchase"}
_COLUMNS: Final = ("timestamp", "visitorid", "event", "itemid", "transactionid")


def events(file: Path | None, skipped: Counter[str]) -> Iterator[Event]:
    """Events by time, then by id."""
    return in_order(_events(require_file(file, "retailrocket", EXPECTED)), skipped)


def _events(path: Path) -> Iterator[Event]:
    lines_of: dict[str, list[Event]] = {}
    for row, cells in csv_rows(path, _COLUMNS):
        event = _event(path, row, cells)
        if event.type != "purchase":
            yield event
            continue
        lines = lines_of.setdefault(event.event_id, [])
        if lines and lines[0].user_id != event.user_id:
            expected = f"{lines[0].user_id}, the visitor of the transaction's first row"
            raise wrong_cell(path, row, "visitorid", event.user_id, expected)
        lines.append(event)
    for lines in lines_of.values():
        first = min(line.timestamp for line in lines)
        for line in lines:
            yield msgspec.structs.replace(line, timestamp=first)


def _event(path: Path, row: int, cells: list[str]) -> Event:
    time, visitor, behaviour, item, transaction = cells
    if behaviour not in _TYPES:
        raise wrong_cell(path, row, "event", behaviour, f"one of {', '.join(_TYPES)}")
    for column, text in (("timestamp", time), ("visitorid", visitor), ("itemid", item)):
        if not text.isdecimal():
            raise wrong_cell(path, row, column, text, "a whole number")
    if not EARLIEST_TIMESTAMP_MS <= int(time) <= LATEST_RECORD_MS:
        raise wrong_cell(path, row, "timestamp", time, "a time in milliseconds since 1970")
    if behaviour == "transaction" and not transaction:
        raise wrong_cell(path, row, "transactionid", transaction, "a transaction's number")
    action = f"{visitor}-{time}-{behaviour}-{item}"
    return Event(
        event_id=f"transaction-{transaction}" if behaviour == "transaction" else action,
        user_id=visitor,
        type=_TYPES[behaviour],
        timestamp=int(time),
        items=(Item(item_id=item),),
    )
