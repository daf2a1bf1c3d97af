"""Causes and single dead letters in words, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.dead_letter import DEAD_LETTER_HEADERS
from schemas.timestamps import format_timestamp
from streamer.operations.dead_letters.letters import Letter
from streamer.operations.dead_letters.summary import CauseSummary, SourceSummary

_HEAD = ("cause", "class", "number", "first", "last", "attempts", "from")


def causes_in_words(causes: Sequence[CauseSummary]) -> str:
    """A line for each cause, and its message below."""
    if not causes:
        return "no dead letters"
    rows = [_HEAD, *(_row(cause) for cause in causes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines: list[str] = []
    for number, row in enumerate(rows):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number:
            lines.append("          " + _printable(causes[number - 1].message))
    return "\n".join(lines)


def letter_in_words(letter: Letter) -> str:
    """All that is known of one dead letter; bytes that are no text in hexadecimal digits."""
    record, failure = letter.record, letter.failure
    lines = [
        f"dead letter  partition {record.partition}, offset {record.offset}, "
        f"{format_timestamp(record.timestamp)}",
        f"cause        {letter.cause.id} {_printable(failure.error_class)}",
        f"message      {_printable(failure.error_message)}",
        f"from         {_printable(failure.source_topic)}, partition {failure.source_partition}, "
        f"offset {failure.source_offset}",
        f"attempts     {failure.attempts}",
        *(f"header       {_printable(name)}: {_shown(value)}" for name, value in _own_headers(letter)),
        f"key          {_shown(record.key)}",
        f"value        {_shown(record.value)}",
    ]
    return "\n".join(lines)


def letter_as_object(letter: Letter) -> dict[str, Any]:
    """The same for programs: ``key`` and ``value`` as text, else ``key_hex`` and ``value_hex``."""
    record, failure = letter.record, letter.failure
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": format_timestamp(record.timestamp),
        "cause": letter.cause.id,
        "error_class": failure.error_class,
        "error_message": failure.error_message,
        "source": letter.source._asdict(),
        "attempts": failure.attempts,
        "headers": [{"name": name, **_text_or_hex("value", v)} for name, v in _own_headers(letter)],
        **_text_or_hex("key", record.key),
        **_text_or_hex("value", record.value),
    }


def _own_headers(letter: Letter) -> list[tuple[str, bytes | None]]:
    """The headers that the record came with."""
    return [header for header in letter.record.headers if header[0] not in DEAD_LETTER_HEADERS]


def _row(cause: CauseSummary) -> tuple[str, ...]:
    sources = ", ".join(_source(source) for source in cause.sources)
    number, attempts = f"{cause.count:,}", str(cause.attempts)
    return cause.id, _printable(cause.error_class), number, cause.first_at, cause.last_at, attempts, sources


def _source(source: SourceSummary) -> str:
    return f"{_printable(source.topic)}/{source.partition} ({source.count:,})"


def _text_or_hex(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_hex": value.hex()}


def _shown(value: bytes | None) -> str:
    if value is None:
        return "(none)"
    try:
        return _printable(value.decode())
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _printable(text: str) -> str:
    """What came from outside must not move a terminal's cursor."""
    return "".join(c if c.isprintable() or c in "\t\n" else f"\\x{ord(c):02x}" for c in text)
