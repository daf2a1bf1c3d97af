"""Whether the source of events is down: then it is the shop that is silent, not its customers."""

from __future__ import annotations

from collections import deque

from schemas.units import DAY_MS, MINUTE_MS

LEAST_QUIET_MS = 30 * MINUTE_MS
LARGEST_GAPS = 10
"""How many times the largest gap of the last week the source may be quiet."""

DAYS_REMEMBERED = 7


class SourceWatch:
    """Watches when records arrive on any partition. All moments are wall time, epoch milliseconds.

    A gap counts as ordinary, and so raises what is ordinary, only while the source was not taken to be
    down in it: an outage must not teach patience. Nor does a gap in which a partition lagged: what is read
    late tells that the source has sent, not when.
    """

    def __init__(self) -> None:
        self._arrived_ms: int | None = None
        self._lagging: set[int] = set()
        self._lagged = False
        self._largest_gaps: deque[tuple[int, int]] = deque()

    def arrived(self, now_ms: int) -> None:
        """Records have arrived."""
        if self._arrived_ms is not None and not self._lagged and not self.is_down(now_ms):
            self._remember(now_ms, now_ms - self._arrived_ms)
        self._arrived_ms = now_ms
        self._lagged = bool(self._lagging)

    def lags(self, partition: int) -> None:
        """Records of a partition have been read, and more of them wait: the source is not down."""
        self._lagging.add(partition)
        self._lagged = True

    def lags_no_more(self, partition: int) -> None:
        """A partition has caught up, or is somebody else's."""
        self._lagging.discard(partition)

    def is_down(self, now_ms: int) -> bool:
        """Whether the source has been quiet for longer than it ever ordinarily is."""
        if self._arrived_ms is None:
            self._arrived_ms = now_ms
        return not self._lagging and now_ms - self._arrived_ms > self.patience_ms(now_ms)

    @property
    def arrived_ms(self) -> int | None:
        """When records last arrived, or when watching began; ``None`` before that."""
        return self._arrived_ms

    def patience_ms(self, now_ms: int) -> int:
        """How long the source may be quiet, milliseconds."""
        recent = (gap for day, gap in self._largest_gaps if day > now_ms // DAY_MS - DAYS_REMEMBERED)
        return max(LEAST_QUIET_MS, LARGEST_GAPS * max(recent, default=0))

    def _remember(self, now_ms: int, gap_ms: int) -> None:
        day = now_ms // DAY_MS
        if self._largest_gaps and self._largest_gaps[-1][0] == day:
            gap_ms = max(gap_ms, self._largest_gaps.pop()[1])
        self._largest_gaps.append((day, gap_ms))
        if len(self._largest_gaps) > DAYS_REMEMBERED:
            self._largest_gaps.popleft()
