"""CDNOW: the purchases of 23,570 customers who first bought in the first quarter of 1997, to June 1998.

Source: P. Fader and B. Hardie, ``CDNOW_master.txt`` (brucehardie.com/datasets), for research and teaching.
``--from`` takes that file: lines of customer, day (``19970101``), number of CDs and dollars, between spaces,
with or without a line of names above. The package ``lifetimes`` carries it as well, but is no longer
maintained, so the file is the way.

A line is one purchase with one item, of as many pieces as CDs, at midnight UTC of its day: the file knows no
times. Purchases of nothing at all (a value of 0) are kept. The id counts a customer's purchases of a day in
the file's order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.errors import InputFileError
from schemas.event import Event, Item
from schemas.timestamps import to_epoch_ms
from streamer.data.datasets.source_file import number, require_file, text_lines, wrong_cell

EXPECTED: Final = "CDNOW_master.txt: customer, day, number of CDs and dollars, between spaces"
_COLUMNS: Final = ("customer_id", "date", "number_of_cds", "dollar_value")


def events(
    file: Path | None,
    skipped: Counter[str],  # noqa: ARG001 - the signature of every source; no line of this one is skipped
) -> Iterator[Event]:
    """Purchases by time, then by id."""
    path = require_file(file, "cdnow", EXPECTED)
    purchases_of_day: Counter[str] = Counter()
    made: list[Event] = []
    for row, line in text_lines(path):
        cells = line.split()
        if row == 1 and cells == list(_COLUMNS):
            continue
        if len(cells) != len(_COLUMNS):
            raise InputFileError(f"{path}, row {row}: {len(cells)} values, expected {', '.join(_COLUMNS)}.")
        made.append(_purchase(path, row, cells, purchases_of_day))
    yield from sorted(made, key=lambda event: (event.timestamp, event.event_id))


def _purchase(path: Path, row: int, cells: list[str], purchases_of_day: Counter[str]) -> Event:
    customer, day, pieces, dollars = cells
    try:
        time_ms = _midnight(day)
    except ValueError as error:
        raise wrong_cell(path, row, "date", day, "a day as 19970101") from error
    if not customer.isdecimal():
        raise wrong_cell(path, row, "customer_id", customer, "a customer's number")
    quantity = number(path, row, "number_of_cds", pieces)
    if quantity < 0:
        raise wrong_cell(path, row, "number_of_cds", pieces, "a number of pieces")
    value = number(path, row, "dollar_value", dollars)
    that_day = f"{customer}-{day}"
    purchases_of_day[that_day] += 1
    return Event(
        event_id=f"{that_day}-{purchases_of_day[that_day]:02}",
        user_id=customer,
        type="purchase",
        timestamp=time_ms,
        items=(Item(price=value / quantity if quantity else None, quantity=quantity),),
        value=value,
        currency="USD",
    )


@lru_cache(maxsize=1024)
def _midnight(day: str) -> int:
    if len(day) != len("19970101"):
        raise ValueError(day)
    return to_epoch_ms(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC))
