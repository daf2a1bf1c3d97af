"""Which dead letters are sent again: those whose record still lies where it failed, and none twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Final

import msgspec

from schemas.dead_letter import redriven_headers
from schemas.topics import ERASURES, EVENTS, with_prefix
from streamer.operations.dead_letters.cause import Cause
from streamer.operations.dead_letters.letters import Letter, RecordAddress
from streamer.operations.dead_letters.sender import Redriven
from streamer.operations.dead_letters.source_trace import Trace, content_hash

INPUTS: Final = (EVENTS, ERASURES)
BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 8 * 1024 * 1024


class CauseCounts(msgspec.Struct):
    """What becomes of the dead letters of one cause. ``id`` names the cause.

    ``redriven``: sent again by this run, or would be. ``redriven_before``: by an earlier one. ``gone``: their
    records do not lie where they failed any more, so nobody knows whether they were sent again.
    ``foreign``: they come from a topic that is no input of this deployment. ``incomplete``: the letter does
    not hold all of the record, which was too large for it.
    """

    id: str
    error_class: str
    message: str
    redriven: int = 0
    redriven_before: int = 0
    gone: int = 0
    foreign: int = 0
    incomplete: int = 0


def sources_of(letters: Iterable[Letter], prefix: str) -> set[RecordAddress]:
    """Where the records of ``letters`` lie, of those that come from this deployment's inputs."""
    inputs = {with_prefix(prefix, name) for name in INPUTS}
    return {letter.source for letter in letters if letter.source.topic in inputs}


class Selection:
    """Decides about dead letters one after the other, and counts. ``asked``: what ``trace`` was asked for."""

    def __init__(self, asked: Set[RecordAddress], trace: Trace, prefix: str) -> None:
        self._asked = asked
        self._trace = trace
        self._inputs = {with_prefix(prefix, name) for name in INPUTS}
        self._taken: set[RecordAddress] = set()
        self._counts: dict[Cause, CauseCounts] = {}

    @property
    def counts(self) -> list[CauseCounts]:
        """Of every cause so far, the most that were sent again first."""
        return sorted(self._counts.values(), key=lambda c: (-c.redriven, c.error_class, c.message))

    def records(self, letters: Iterable[Letter]) -> Iterator[Redriven]:
        """What is to be sent for ``letters``; a record that is there twice is sent once."""
        for letter in letters:
            source, cause = letter.source, letter.cause
            counts = self._counts.setdefault(cause, CauseCounts(cause.id, *cause))
            original = self._trace.originals.get(source)
            content = content_hash(letter.record.key, letter.record.value)
            if source.topic not in self._inputs:
                counts.foreign += 1
            elif letter.failure.left_out:
                counts.incomplete += 1
            elif source in self._trace.redriven or source in self._taken:
                counts.redriven_before += 1
            elif source not in self._asked:
                # It has come in the meantime: for the next run.
                continue
            elif original is None or original.content != content:
                counts.gone += 1
            else:
                self._taken.add(source)
                counts.redriven += 1
                headers = redriven_headers(letter.failure, letter.record.headers)
                yield Redriven(source, letter.record.key, letter.record.value, original.timestamp_ms, headers)


def batches(records: Iterable[Redriven]) -> Iterator[list[Redriven]]:
    """``records`` in parts for one transaction each; one that is larger than a part goes alone."""
    batch: list[Redriven] = []
    size = 0
    for record in records:
        length = len(record.key or b"") + len(record.value or b"")
        if batch and (len(batch) == BATCH_RECORDS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch
