"""Events from newline-delimited JSON: one event a line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import InputFileError, MalformedEventError
from schemas.event import MAX_EVENT_BYTES, Event, Skipped
from schemas.wire.decoding import decode_event
from streamer.data.files.formats.fields import LATEST_RECORD_MS, Place, Written, no_event
from streamer.data.files.kind import Compression
from streamer.data.files.rows import Row
from streamer.data.files.streams import reading

_STRING_OR_NAN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|\bNaN\b')
_WRITTEN: Final = msgspec.json.Decoder(Written)
_UNPACK: Final = {None: "cat", "gz": "gzip -dc", "zst": "zstd -dc"}


def ndjson_rows(path: Path, compression: Compression | None, latest_ms: int) -> Iterator[Row]:
    """Decode line by line; a byte order mark at the beginning is passed over.

    A number that is ``NaN``, which Python and others write though JSON has no such thing, is not known.
    ``latest_ms``: later events are left out. Raises ``InputFileError`` where the file is no such lines.
    """
    with reading(path, compression) as stream:
        number = 0
        # A bound on the line keeps a file without line ends from being read into memory whole.
        while line := stream.readline(MAX_EVENT_BYTES + 2):
            number += 1
            value = line.rstrip(b"\r\n")
            if number == 1:
                value = value.removeprefix(codecs.BOM_UTF8)
                _require_lines(path, compression, value)
            if not value.strip():
                continue
            outcome = _decoded(value)
            if isinstance(outcome, Event) and outcome.timestamp <= latest_ms:
                yield outcome
            else:
                yield no_event(outcome, _written(value), Place(path, "line", number, "field"))


def _decoded(value: bytes) -> Event | Skipped | MalformedEventError:
    try:
        return decode_event(value, None, LATEST_RECORD_MS)
    except MalformedEventError as error:
        if error.error_class != "not-json" or b"NaN" not in value:
            return error
    try:
        return decode_event(without_nan(value), None, LATEST_RECORD_MS)
    except MalformedEventError as error:
        return error


def without_nan(value: bytes) -> bytes:
    """JSON with null in the place of each ``NaN`` that is no part of a text."""
    return _STRING_OR_NAN.sub(lambda found: b"null" if found[0] == b"NaN" else found[0], value)


def _written(value: bytes) -> Written:
    try:
        return _WRITTEN.decode(without_nan(value))
    except (ValueError, RecursionError):
        return Written()


def _require_lines(path: Path, compression: Compression | None, first: bytes) -> None:
    """Refuse JSON that is no lines of objects, with the command that makes them of it."""
    if first.lstrip()[:1] == b"[":
        found, query = "one JSON array", ".[]"
    elif first.strip() == b"{":
        found, query = "JSON with an object over several lines", "."
    else:
        return
    raise InputFileError(
        f"{path} is {found}, and one object a line is needed: "
        f"{_UNPACK[compression]} {path} | jq -c '{query}' > events.ndjson"
    )
