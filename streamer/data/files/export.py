"""Records of a topic as lines or rows of a file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from schemas.errors import ConfigurationError, MalformedEventError
from schemas.event import Event, Skipped
from schemas.timestamps import LATEST_MS, format_timestamp
from schemas.topics import ALERTS, DECISIONS, ERASURES, EVENTS, SCORES
from schemas.wire.decoding import EventFormat, decode_event
from schemas.wire.unread import Unread
from schemas.wire.wire_format import content_type_of
from streamer.core.timing.clock import written_ms
from streamer.data.files.kind import kind_of
from streamer.data.files.streams import writing
from streamer.data.files.writing import write_events

JSON_TOPICS: Final = frozenset({ALERTS, SCORES, DECISIONS, ERASURES})


class TopicRecord(Protocol):
    """What is needed of a consumed record."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...


@dataclass
class ExportCounts:
    """Records written, and those left out by their reason."""

    written: int = 0
    left_out: Counter[str] = field(default_factory=lambda: Counter[str]())


def export_records(
    path: Path,
    topic: str,
    records: Iterable[TopicRecord],
    counts: ExportCounts,
    event_format: EventFormat = "contract",
) -> None:
    """Write the records of ``topic`` (its name without prefix) in their order.

    ``event_format``: whose events the events topic carries; the file holds them as the contract's.
    Raises ``ConfigurationError`` where the file's kind cannot hold the topic.
    """
    kind = kind_of(path)
    if topic == EVENTS:
        counts.written = write_events(path, _events(records, counts, event_format))
        return
    if kind.format != "ndjson":
        raise ConfigurationError(f"{path}: only events fit into {kind.format}; export {topic} to .ndjson.")
    lines = _messages(records, counts) if topic in JSON_TOPICS else _whole_records(records)
    with writing(path, kind.compression) as stream:
        for line in lines:
            stream.write(line + b"\n")
            counts.written += 1


def _events(
    records: Iterable[TopicRecord], counts: ExportCounts, event_format: EventFormat
) -> Iterator[Event]:
    for record in records:
        content_type = content_type_of(record.headers)
        try:
            event = decode_event(
                record.value, content_type, written_ms(record.timestamp, LATEST_MS), event_format
            )
        except MalformedEventError:
            counts.left_out["malformed"] += 1
            continue
        if isinstance(event, Skipped):
            counts.left_out[event.reason] += 1
        else:
            yield event


def _messages(records: Iterable[TopicRecord], counts: ExportCounts) -> Iterator[bytes]:
    """The value of each record on one line; tombstones have none."""
    for record in records:
        if record.value is None:
            counts.left_out["tombstone"] += 1
            continue
        try:
            yield msgspec.json.format(record.value, indent=-1)
        except msgspec.DecodeError:
            counts.left_out["not JSON"] += 1


def _whole_records(records: Iterable[TopicRecord]) -> Iterator[bytes]:
    for record in records:
        yield msgspec.json.encode(
            {
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": format_timestamp(record.timestamp),
                **_text_or_base64("key", record.key),
                "headers": [
                    {"name": name, **_text_or_base64("value", value)} for name, value in record.headers
                ],
                **_text_or_base64("value", record.value),
                **({"unread": record.value.reason} if isinstance(record.value, Unread) else {}),
            }
        )


def _text_or_base64(name: str, value: bytes | None) -> dict[str, str | None]:
    """Bytes under ``name`` where they are UTF-8, else under ``name`` + ``_base64``: nothing is lost."""
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}
