"""Decisions and events, from a file or from a topic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from schemas.decision import DecisionMessage
from schemas.errors import ConfigurationError, InputFileError, MalformedEventError
from schemas.event import Event, Skipped
from schemas.timestamps import LATEST_MS
from schemas.wire.decoding import decode_event
from schemas.wire.wire_format import content_type_of
from streamer.core.timing.clock import written_ms
from streamer.data.files import ReadCounts, read_events
from streamer.data.files.kind import kind_of
from streamer.data.files.streams import reading
from streamer.kafka.connection import connection_of
from streamer.kafka.reading import open_topic
from streamer.settings.settings import Settings

log = structlog.get_logger(__name__)

_DECODER = msgspec.json.Decoder(DecisionMessage)


def decisions(source: str, settings: Settings) -> Iterator[DecisionMessage]:
    """The decisions of an NDJSON file, or of a topic, where what is none is logged and passed over.

    Raises ``InputFileError`` that names the row of a file that is no decision, ``TopicError`` and
    ``BrokerError``.
    """
    path = _file(source)
    if path is not None:
        yield from _decisions_of_file(path)
        return
    with open_topic(connection_of(settings), settings.topic_prefix, source) as reader:
        for record in reader.records():
            try:
                yield _DECODER.decode(record.value or b"")
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                log.warning(
                    "no decision, passed over",
                    topic=source,
                    partition=record.partition,
                    offset=record.offset,
                    reason=str(error),
                )


def events(source: str, settings: Settings, counts: ReadCounts) -> Iterator[Event]:
    """The events of a file, or of a topic, where malformed and unknown ones are passed over and counted."""
    path = _file(source)
    if path is not None:
        yield from read_events(path, counts)
        return
    with open_topic(connection_of(settings), settings.topic_prefix, source) as reader:
        for record in reader.records():
            content_type = content_type_of(record.headers)
            try:
                event = decode_event(
                    record.value, content_type, written_ms(record.timestamp, LATEST_MS), settings.event_format
                )
            except MalformedEventError:
                counts.others["malformed"] += 1
                continue
            if isinstance(event, Skipped):
                counts.others[event.reason] += 1
            else:
                counts.events += 1
                yield event


def _file(source: str) -> Path | None:
    """The file that ``source`` names, ``None`` where it names a topic."""
    path = Path(source)
    if path.is_file():
        return path
    try:
        kind_of(path)
    except ConfigurationError:
        return None
    raise InputFileError(f"there is no file {path}: `streamer export` makes one from a topic.")


def _decisions_of_file(path: Path) -> Iterator[DecisionMessage]:
    kind = kind_of(path)
    if kind.format != "ndjson":
        raise ConfigurationError(
            f"{path}: decisions are read from .ndjson, as `streamer export` writes them."
        )
    with reading(path, kind.compression) as lines:
        for row, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _DECODER.decode(line)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                raise InputFileError(f"{path}, row {row}: no decision: {error}") from error
