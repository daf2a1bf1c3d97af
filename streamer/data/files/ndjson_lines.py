"""Events from newline-delimited JSON: one event a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schemas.decoding import decode_event
from schemas.errors import InputFileError, MalformedEventError
from schemas.event import MAX_EVENT_BYTES, Event, Skipped
from streamer.data.files.fields import LATEST_RECORD_MS, field_at_fault, time_hint
from streamer.data.files.kind import Compression
from streamer.data.files.streams import reading


def ndjson_events(path: Path, compression: Compression | None) -> Iterator[Event | Skipped]:
    """Decode line by line; raises ``InputFileError`` that names file, line and field."""
    with reading(path, compression) as stream:
        number = 0
        # A bound on the line keeps a file without line ends from being read into memory whole.
        while line := stream.readline(MAX_EVENT_BYTES + 2):
            number += 1
            value = line.rstrip(b"\r\n")
            if not value.strip():
                continue
            try:
                yield decode_event(value, None, LATEST_RECORD_MS)
            except MalformedEventError as error:
                field = field_at_fault(error)
                place = f", field {field}" if field else ""
                raise InputFileError(f"{path}, line {number}{place}: {error}{time_hint(error)}") from error
