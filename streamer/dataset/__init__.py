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
