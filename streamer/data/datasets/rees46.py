"""REES46: views, carts and purchases of online shops, October 2019 to April 2020, a file a month.

Source: M. Kechinov, REES46 Marketing Platform, "eCommerce behavior data from multi category store" and its
siblings (Kaggle), free to use where REES46 is named. ``--from`` takes one of the files (event_time as
``2019-10-01 00:00:00 UTC``, event_type, product_id, category_id, category_code, brand, price, user_id,
user_session), also .gz and .zst; commands that read files of events take several of the results.

- cart becomes add_to_cart, the other types keep their names. A product's category is its category_code, or
  the category_id where it has none. The files name no currency.
- The purchases of a user in one session and second are one purchase with several items; its value is the sum
  of their prices, which in a few rows are negative: lines given back.
- A row that occurs twice counts once. A row without a session is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.event import Event, Item
from schemas.timestamps import parse_timestamp
from streamer.data.datasets.ordering import in_order
from streamer.data.datasets.source_file import csv_rows, number, require_file, wrong_cell

EXPECTED: Final = "a month's CSV: event_time, event_type, product_id, …, user_session"
_TYPES: Final = {
    "view": "view",
    "cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "purchase": "purchase",
}
_COLUMNS: Final = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)


def events(file: Path | None, skipped: Counter[str]) -> Iterator[Event]:
    """Events by time, then by id. Memory does not grow with the file."""
    return in_order(_events(require_file(file, "rees46", EXPECTED)), skipped)


def _events(path: Path) -> Iterator[Event]:
    for row, cells in csv_rows(path, _COLUMNS):
        time, behaviour, product, category_id, category_code, brand, price, user, session = cells
        if behaviour not in _TYPES:
            raise wrong_cell(path, row, "event_type", behaviour, f"one of {', '.join(_TYPES)}")
        for column, text in (("product_id", product), ("user_id", user)):
            if not text.isdecimal():
                raise wrong_cell(path, row, column, text, "a whole number")
        try:
            time_ms = _epoch_ms(time)
        except ValueError as error:
            raise wrong_cell(path, row, "event_time", time, "a time as 2019-10-01 00:00:00 UTC") from error
        paid = number(path, row, "price", price) if price else None
        what = behaviour if behaviour == "purchase" else f"{behaviour}-{product}"
        yield Event(
            event_id=f"{user}-{session}-{time_ms // 1000}-{what}",
            user_id=user,
            type=_TYPES[behaviour],
            timestamp=time_ms,
            items=(Item(product, category_code or category_id or None, brand or None, paid, 1.0),),
            value=paid if behaviour == "purchase" else None,
            session_id=session or None,
        )


@lru_cache(maxsize=1024)
def _epoch_ms(text: str) -> int:
    if len(text) != len("2019-10-01 00:00:00 UTC") or not text.endswith(" UTC"):
        raise ValueError(text)
    return parse_timestamp(f"{text[:10]}T{text[11:19]}Z")
