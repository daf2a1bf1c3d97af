"""What became of the records that a partition read last: two spans, of which the newer one is still open.

Totals since a partition's first record hide what goes wrong now. A span is closed by the first record after
five minutes of wall time and a hundred records, so what is there covers minutes of a busy partition, and
enough records of a quiet one to speak of shares.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streamer.worker.stage.partition.counters import NAME_CHARACTERS, Count, Counters, printable

SPAN_MS: Final = 300_000
SPAN_RECORDS: Final = 100

_LEGITIMATE: Final = ("erased", "not-ours")
"""Reasons to skip a record that do not lie in what the shop sends."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Records since ``from_ms``, wall time; of them those refused as dead letters, and those skipped."""

    from_ms: int
    records: Count = 0
    refused: Count = 0
    skipped: Count = 0


class RecentReads(msgspec.Struct, frozen=True, omit_defaults=True):
    """``until_ms``: when the last of the records was read, wall time. ``cause``: error class of the newest
    dead letter among them; ``reason``: of the newest that was skipped; empty where there is none.
    """

    until_ms: int
    newer: Span
    older: Span
    cause: str = ""
    reason: str = ""

    @property
    def records(self) -> int:
        """In both spans."""
        return self.newer.records + self.older.records

    @property
    def refused(self) -> int:
        """In both spans."""
        return self.newer.refused + self.older.refused

    @property
    def skipped(self) -> int:
        """In both spans."""
        return self.newer.skipped + self.older.skipped


class ReadsWatch:
    """Follows a partition's ``counters``; ``recent``: what was known when it was opened."""

    def __init__(self, counters: Counters, recent: RecentReads | None) -> None:
        self.recent = recent
        self._remember(counters)

    def look(self, counters: Counters, wall_ms: int) -> RecentReads | None:
        """What is known after what was counted since the last look; ``None`` before the first record."""
        records = counters.records - self._records
        refused, cause = _risen(counters.dead_letters, self._dead_letters)
        skipped, reason = _risen(counters.skipped, self._skipped)
        if records or refused or skipped:
            before = self.recent or RecentReads(wall_ms, Span(wall_ms), Span(wall_ms))
            newer, older = before.newer, before.older
            if newer.records >= SPAN_RECORDS and wall_ms - newer.from_ms >= SPAN_MS:
                newer, older = Span(wall_ms), newer
            self.recent = RecentReads(
                wall_ms,
                Span(
                    newer.from_ms, newer.records + records, newer.refused + refused, newer.skipped + skipped
                ),
                older,
                cause or before.cause,
                reason or before.reason,
            )
            self._remember(counters)
        return self.recent

    def _remember(self, counters: Counters) -> None:
        self._records = counters.records
        self._dead_letters = dict(counters.dead_letters)
        self._skipped = dict(counters.skipped)


def _risen(counts: dict[str, int], before: dict[str, int]) -> tuple[int, str]:
    """How far all counts have risen, and the name of the one that has risen most; empty if none has."""
    rises = {name: number - before.get(name, 0) for name, number in counts.items() if name not in _LEGITIMATE}
    most = max(rises, key=lambda name: rises[name], default="")
    return sum(rises.values()), printable(most, NAME_CHARACTERS) if most and rises[most] > 0 else ""
