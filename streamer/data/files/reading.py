"""A file of events as a stream of ``Event``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.event import Event, Skipped
from streamer.data.files.csv_rows import csv_events
from streamer.data.files.kind import kind_of
from streamer.data.files.ndjson_lines import ndjson_events
from streamer.data.files.parquet_rows import parquet_events


@dataclass
class ReadCounts:
    """What a reader has met so far. ``skipped``: events of an unknown type."""

    events: int = 0
    skipped: int = 0
    unknown_fields: int = 0


def read_events(path: Path, counts: ReadCounts | None = None) -> Iterator[Event]:
    """The events of a file, in its order.

    Rows of CSV and Parquet may be flat one-item events; CSV may hold ``items`` as JSON, Parquet as a list of
    structs. Blank lines are passed over; events of an unknown type too, and they are counted in ``counts``.

    Raises ``InputFileError`` that names file, row and column at the first row that is no event, and
    ``ConfigurationError`` where the file's kind is unknown or needs a package that is not installed.
    """
    counts = ReadCounts() if counts is None else counts
    for event in _decoded(path):
        if isinstance(event, Skipped):
            counts.skipped += 1
        else:
            counts.events += 1
            counts.unknown_fields += event.unknown_fields
            yield event


def _decoded(path: Path) -> Iterator[Event | Skipped]:
    kind = kind_of(path)
    if kind.format == "ndjson":
        return ndjson_events(path, kind.compression)
    if kind.format == "csv":
        return csv_events(path, kind.compression)
    return parquet_events(path)
