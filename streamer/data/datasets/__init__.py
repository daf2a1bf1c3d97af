"""Known public sources, each turned into events by one module with a function ``events``.

A module's ``events(file, skipped)`` reads ``file``, or what its package carries where that is None, and
counts in ``skipped`` by reason what becomes no event. Events come by time and then by id.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from schemas.event import Event


class Source(NamedTuple):
    """``module`` is imported only when asked for; ``file`` says what it reads, None where it takes none."""

    module: str
    summary: str
    file: str | None


SOURCES: Final[dict[str, Source]] = {
    "complete-journey": Source(
        "complete_journey", "A year of 2,469 households' grocery baskets; comes with a package.", None
    ),
    "online-retail": Source(
        "online_retail",
        "A year of a wholesaler's invoices and cancellations (UCI).",
        "The table of invoice lines, as .parquet or .csv.",
    ),
    "cdnow": Source("cdnow", "Purchases of CDs, 1997 and 1998.", "CDNOW_master.txt."),
    "taobao": Source(
        "taobao", "Clicks and purchases over nine days of 2017.", "UserBehavior.csv, or the head of it."
    ),
    "retailrocket": Source("retailrocket", "Clicks and purchases over 4.5 months of 2015.", "events.csv."),
    "rees46": Source(
        "rees46", "Clicks and purchases of several shops, 2019 and 2020.", "The CSV file of a month."
    ),
}


def dataset_events(
    name: str, file: Path | None = None, skipped: Counter[str] | None = None
) -> Iterator[Event]:
    """The events of one of ``SOURCES``, by time and then by id; the same at every call.

    ``skipped`` counts, by reason, rows that become no event or part of one. Raises ``ConfigurationError``
    where the source's file or package is missing, ``InputFileError`` where the file is not of its format.
    """
    module = importlib.import_module(f"{__name__}.{SOURCES[name].module}")
    return module.events(file, Counter[str]() if skipped is None else skipped)
