"""Known public sources, each turned into events by one module with a function ``events``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Final

from schemas.event import Event

SOURCES: Final[dict[str, str]] = {
    "complete-journey": "streamer.dataset.complete_journey",
}
"""Modules by the name of their source; imported only when asked for."""


def dataset_events(name: str) -> Iterator[Event]:
    """The events of one of ``SOURCES``, by time and then by id; the same at every call.

    Raises ``ConfigurationError`` where the source's package is not installed.
    """
    return importlib.import_module(SOURCES[name]).events()
