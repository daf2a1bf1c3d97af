"""How many dead letters there are of each cause, since when, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.timestamps import format_timestamp
from streamer.operations.dead_letters.cause import Cause
from streamer.operations.dead_letters.letters import Letter


class SourceSummary(msgspec.Struct):
    """One partition in which records have failed."""

    topic: str
    partition: int
    count: int
    first_offset: int
    last_offset: int


class CauseSummary(msgspec.Struct):
    """All dead letters of one cause. Times are those of the dead letters, RFC 3339.

    ``id`` names the cause. ``attempts``: the most that one of them has failed.
    """

    id: str
    error_class: str
    message: str
    count: int
    first_at: str
    last_at: str
    attempts: int
    sources: list[SourceSummary]


def summarise(letters: Iterable[Letter]) -> list[CauseSummary]:
    """Every cause, the most frequent first."""
    found: dict[Cause, _Tally] = {}
    for letter in letters:
        found.setdefault(letter.cause, _Tally()).add(letter)
    summaries = [tally.summary(cause) for cause, tally in found.items()]
    return sorted(summaries, key=lambda summary: (-summary.count, summary.error_class, summary.message))


class _Tally:
    def __init__(self) -> None:
        self._times: list[int] = []
        self._attempts = 0
        self._count = 0
        self._sources: dict[tuple[str, int], SourceSummary] = {}

    def add(self, letter: Letter) -> None:
        topic, partition, offset = letter.source
        time_ms = letter.record.timestamp
        self._times = [min([time_ms, *self._times]), max([time_ms, *self._times])]
        self._attempts = max(self._attempts, letter.failure.attempts)
        self._count += 1
        source = self._sources.setdefault(
            (topic, partition), SourceSummary(topic, partition, 0, offset, offset)
        )
        source.count += 1
        source.first_offset = min(source.first_offset, offset)
        source.last_offset = max(source.last_offset, offset)

    def summary(self, cause: Cause) -> CauseSummary:
        first_ms, last_ms = self._times
        return CauseSummary(
            cause.id,
            cause.error_class,
            cause.message,
            self._count,
            format_timestamp(first_ms),
            format_timestamp(last_ms),
            self._attempts,
            [source for _, source in sorted(self._sources.items())],
        )
