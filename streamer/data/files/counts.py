"""What reading files of events has met: events, and rows that were left out, by their reason and type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from streamer.data.files.rows import FUTURE, LeftOut
from streamer.data.files.spellings import meant_type

_MOST_SPELLINGS: Final = 1_000
_LONGEST_SPELLING: Final = 80
_TOLD: Final = 10


@dataclass
class ReadCounts:
    """Rows so far. ``types``: of unknown types, by their spelling, of which the first thousand are kept.

    ``in_future``: of a time more than a day ahead of this machine's clock; ``first_in_future``: where the
    first of them is, and its time. ``others``: records of a topic that are no events, by reason.
    """

    events: int = 0
    skipped: int = 0
    unknown_fields: int = 0
    types: Counter[str] = field(default_factory=lambda: Counter[str]())
    in_future: int = 0
    first_in_future: str | None = None
    others: Counter[str] = field(default_factory=lambda: Counter[str]())

    @property
    def left_out(self) -> int:
        """Rows that became no event."""
        return self.skipped + self.in_future + self.others.total()

    def leave_out(self, row: LeftOut) -> None:
        """Count one row that is left out."""
        if row.reason == FUTURE:
            self.in_future += 1
            self.first_in_future = self.first_in_future or f"{row.place}: {row.what}"
            return
        self.skipped += 1
        spelling = row.what[:_LONGEST_SPELLING]
        if spelling in self.types or len(self.types) < _MOST_SPELLINGS:
            self.types[spelling] += 1

    def sentences(self) -> list[str]:
        """What was left out, in words; nothing where all rows are events."""
        reasons: list[str] = []
        if self.skipped:
            named = [_named(spelling, rows) for spelling, rows in self.types.most_common(_TOLD)]
            others = self.skipped - sum(rows for _, rows in self.types.most_common(_TOLD))
            if others:
                named.append(f"others {others:,}")
            reasons.append(f"{self._share(self.skipped)} of unknown types: {', '.join(named)}")
        if self.in_future:
            reasons.append(
                f"{self._share(self.in_future)} of times more than a day ahead of this machine's clock, "
                f"the first in {self.first_in_future}"
            )
        reasons.extend(f"{self._share(rows)} {reason}" for reason, rows in self.others.most_common())
        return reasons

    def figures(self) -> dict[str, object]:
        """The same for a report: rows of types beyond those that were kept are ``other_types``."""
        return {
            "rows": self.left_out,
            "types": dict(self.types.most_common()),
            "other_types": self.skipped - self.types.total(),
            "in_future": self.in_future,
            **self.others,
        }

    def _share(self, rows: int) -> str:
        return f"{rows:,} of {self.events + self.left_out:,} rows were left out,"


def _named(spelling: str, rows: int) -> str:
    meant = meant_type(spelling)
    return f"{spelling!r} {rows:,}" + (f" ({meant}?)" if meant else "")
