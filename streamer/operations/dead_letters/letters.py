"""The dead-letter topic as dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.dead_letter import DeadLetter, read_dead_letter
from streamer.data.files.export import TopicRecord
from streamer.operations.dead_letters.cause import Cause, cause_of


class RecordAddress(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Letter(NamedTuple):
    """A dead letter: the record that holds it, what its headers say, and why it is there."""

    record: TopicRecord
    failure: DeadLetter
    cause: Cause

    @property
    def source(self) -> RecordAddress:
        """Where the record lies that failed."""
        return RecordAddress(
            self.failure.source_topic, self.failure.source_partition, self.failure.source_offset
        )


def letters_in(records: Iterable[TopicRecord], cause: str | None = None) -> Iterator[Letter]:
    """The dead letters among ``records``; with ``cause`` those of that id or error class.

    What does not have a dead letter's headers is none: some other program wrote it.
    """
    for record in records:
        try:
            failure = read_dead_letter(record.headers)
        except ValueError:
            continue
        letter = Letter(record, failure, cause_of(failure))
        if letter.cause.is_called(cause):
            yield letter
