"""How far a partition has come, for operators and tests."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from time import monotonic

RATE_WINDOW_S = 10.0


@dataclass
class PartitionProgress:
    """Counters of one owned partition since it was assigned.

    committed: next offset of the last transaction; None before the first.
    position: up to here every record has been handed to the stage's queue.
    highwater: end of the partition as of the last fetch.
    """

    partition: int
    committed: int | None = None
    position: int | None = None
    highwater: int | None = None
    caught_up: bool = False
    records: int = 0
    transactions: int = 0
    _committed_at: float = field(default_factory=monotonic)
    _recent: deque[tuple[float, int]] = field(default_factory=lambda: deque[tuple[float, int]]())

    def committed_to(self, next_offset: int, records: int) -> None:
        """Note a transaction."""
        now = monotonic()
        self.committed = next_offset
        self.records += records
        self.transactions += 1
        self._committed_at = now
        self._recent.append((now, records))
        self._forget_before(now - RATE_WINDOW_S)

    @property
    def records_per_s(self) -> float:
        """Mean over the last ten seconds."""
        self._forget_before(monotonic() - RATE_WINDOW_S)
        return sum(count for _, count in self._recent) / RATE_WINDOW_S

    @property
    def commit_age_s(self) -> float:
        """Seconds since the last transaction, or since the partition was taken over."""
        return monotonic() - self._committed_at

    def as_dict(self) -> dict[str, object]:
        """Plain values for a status page."""
        plain = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        return {**plain, "records_per_s": self.records_per_s, "commit_age_s": self.commit_age_s}

    def _forget_before(self, moment: float) -> None:
        while self._recent and self._recent[0][0] < moment:
            self._recent.popleft()
