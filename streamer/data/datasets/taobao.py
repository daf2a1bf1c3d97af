"""Taobao user behaviour: views, carts, favourites and purchases, 25 November to 3 December 2017.

Source: Alibaba, "User Behavior Data from Taobao for Recommendation" (Tianchi 649), for research. ``--from``
takes ``UserBehavior.csv`` or the head of it: user, item, category, type (pv, cart, fav, buy) and Unix
seconds, without a header, also .gz and .zst.

- Rows outside the nine days (1511539200 <= t < 1512316800) bear wrong times and are skipped.
- What a user buys in one second is one purchase with several items; there are no prices.
- A last line without its end and with too few cells is where a head was cut off, and is skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.errors import InputFileError
from schemas.event import Event, Item
from streamer.data.datasets.ordering import in_order
from streamer.data.datasets.source_file import require_file, text_lines, wrong_cell

EXPECTED: Final = (
    "UserBehavior.csv or its head: user, item, category, type and Unix seconds, without a header"
)
FIRST_SECOND: Final = 1_511_539_200
END_SECOND: Final = 1_512_316_800
_TYPES: Final = {"pv": "view", "cart": "add_to_cart", "fav": "favorite", "buy": "purchase"}
_COLUMNS: Final = ("user", "item", "category", "type", "timestamp")


def events(file: Path | None, skipped: Counter[str]) -> Iterator[Event]:
    """Events by time, then by id. Memory does not grow with the file."""
    return in_order(_events(require_file(file, "taobao", EXPECTED), skipped), skipped)


def _events(path: Path, skipped: Counter[str]) -> Iterator[Event]:
    for row, line in text_lines(path):
        cells = line.rstrip("\r\n").split(",")
        if len(cells) == len(_COLUMNS):
            event = _event(path, row, cells, skipped)
            if event is not None:
                yield event
        elif len(cells) < len(_COLUMNS) and not line.endswith("\n"):
            skipped["rows cut off at the file's end"] += 1
        else:
            raise InputFileError(f"{path}, row {row}: {len(cells)} cells, expected {', '.join(_COLUMNS)}.")


def _event(path: Path, row: int, cells: list[str], skipped: Counter[str]) -> Event | None:
    for column, text in zip(_COLUMNS, cells, strict=True):
        if column != "type" and not text.removeprefix("-").isdecimal():
            raise wrong_cell(path, row, column, text, "a whole number")
    user, item, category, behaviour, time = cells
    if behaviour not in _TYPES:
        raise wrong_cell(path, row, "type", behaviour, f"one of {', '.join(_TYPES)}")
    if not FIRST_SECOND <= int(time) < END_SECOND:
        skipped["rows outside the nine days"] += 1
        return None
    what = "buy" if behaviour == "buy" else f"{behaviour}-{item}"
    return Event(
        event_id=f"{user}-{time}-{what}",
        user_id=user,
        type=_TYPES[behaviour],
        timestamp=int(time) * 1_000,
        items=(Item(item_id=item, category=category),),
    )
