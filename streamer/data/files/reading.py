"""Files of events as a stream of ``Event``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.errors import InputFileError
from schemas.event import Event
from schemas.wire.decoding import MAX_AHEAD_MS
from streamer.data.files.counts import ReadCounts
from streamer.data.files.formats.csv_rows import csv_rows
from streamer.data.files.formats.ndjson_lines import ndjson_rows
from streamer.data.files.formats.parquet_rows import parquet_rows
from streamer.data.files.kind import kind_of
from streamer.data.files.rows import LeftOut, Row


def read_events(path: Path, counts: ReadCounts | None = None) -> Iterator[Event]:
    """The events of a file, in its order.

    Rows of CSV and Parquet may be flat one-item events; CSV may hold ``items`` as JSON, Parquet as a list of
    structs. Blank lines are passed over; so are events of an unknown type and those more than a day ahead of
    this machine's clock, which ``counts`` tells of.

    Raises ``InputFileError`` that names file, row and column at the first row that is no event, and
    ``ConfigurationError`` where the file's kind is unknown or needs a package that is not installed.
    """
    counts = ReadCounts() if counts is None else counts
    for row in read_rows(path):
        if isinstance(row, Event):
            counts.events += 1
            counts.unknown_fields += row.unknown_fields
            yield row
        elif isinstance(row, LeftOut):
            counts.leave_out(row)
        else:
            raise InputFileError(row.message)


def read_files(paths: Sequence[Path], counts: ReadCounts | None = None) -> Iterator[Event]:
    """The events of one file after the other; as :func:`read_events`."""
    for path in paths:
        yield from read_events(path, counts)


def read_rows(path: Path) -> Iterator[Row]:
    """All rows of a file, also those that are no events; raises where the file as a whole cannot be read."""
    kind = kind_of(path)
    latest_ms = int(time.time() * 1_000) + MAX_AHEAD_MS
    if kind.format == "ndjson":
        return ndjson_rows(path, kind.compression, latest_ms)
    if kind.format == "csv":
        return csv_rows(path, kind.compression, latest_ms)
    return parquet_rows(path, latest_ms)
