"""Events of any order into the order of files, in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Final

import msgspec

from schemas.event import Event

EVENTS_AT_ONCE: Final = 250_000
"""Events sorted in memory at a time, some 200 MB; more are put aside in temporary files and merged."""

REPEATED: Final = "repeated rows"
_LENGTH_BYTES: Final = 4
_BUFFER_BYTES: Final = 64 * 1024


def in_order(events: Iterable[Event], skipped: Counter[str]) -> Iterator[Event]:
    """``events`` by time and then by id, those of one id and time made one.

    Of purchases the distinct items come together, and their worth is added up where it is known; of other
    events one stays. What is dropped is counted in ``skipped`` as repeated rows.
    """
    pending: list[Event] = []
    for event in _sorted(events):
        if pending and _place(event) != _place(pending[0]):
            yield _joined(pending, skipped)
            pending.clear()
        pending.append(event)
    if pending:
        yield _joined(pending, skipped)


def _place(event: Event) -> tuple[int, str]:
    return event.timestamp, event.event_id


def _sorted(events: Iterable[Event]) -> Iterator[Event]:
    remaining = iter(events)
    chunk = sorted(islice(remaining, EVENTS_AT_ONCE), key=_place)
    with ExitStack() as files:
        runs: list[Iterator[Event]] = []
        while len(chunk) == EVENTS_AT_ONCE:
            file = files.enter_context(TemporaryFile(buffering=_BUFFER_BYTES))
            _put_aside(file, chunk)
            runs.append(_taken_back(file))
            chunk = sorted(islice(remaining, EVENTS_AT_ONCE), key=_place)
        # Equal places keep the order in which they came.
        yield from heapq.merge(*runs, chunk, key=_place)


def _put_aside(file: IO[bytes], events: list[Event]) -> None:
    encoder = msgspec.msgpack.Encoder()
    for event in events:
        packed = encoder.encode(event)
        file.write(len(packed).to_bytes(_LENGTH_BYTES, "big"))
        file.write(packed)
    file.seek(0)


def _taken_back(file: IO[bytes]) -> Iterator[Event]:
    decoder = msgspec.msgpack.Decoder(Event)
    while length := file.read(_LENGTH_BYTES):
        yield decoder.decode(file.read(int.from_bytes(length, "big")))


def _joined(events: list[Event], skipped: Counter[str]) -> Event:
    first = events[0]
    if len(events) == 1:
        return first
    distinct = dict.fromkeys(events)
    if len(distinct) < len(events):
        skipped[REPEATED] += len(events) - len(distinct)
    if first.type != "purchase":
        if len(distinct) > 1:
            skipped[REPEATED] += len(distinct) - 1
        return first
    values = [event.value for event in distinct]
    return msgspec.structs.replace(
        first,
        items=tuple(item for event in distinct for item in event.items),
        value=None if None in values else round(sum(value or 0.0 for value in values), 2),
    )
