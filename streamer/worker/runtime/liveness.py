"""Whether a worker gets anywhere: judged by what it has committed, not by its process being there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic


class Liveness:
    """Notes what moves. A worker is stuck where nothing has for ``patience_s`` seconds, with something to do.

    ``now``: a clock in seconds.
    """

    def __init__(self, patience_s: float, now: Callable[[], float] = monotonic) -> None:
        self._patience_s = patience_s
        self._now = now
        self._moved_at = now()
        self._ticked_at: float | None = None
        self._fetched_at: float | None = None
        self._waits_since: dict[int, float] = {}

    def moved(self) -> None:
        """Partitions were assigned, opened or given up, or a table has been restored a bit further."""
        self._moved_at = self._now()
        self._fetched_at = None

    def fetched(self) -> None:
        """The broker was asked for records of open partitions, and has answered or had none in time."""
        self._fetched_at = self._now()

    def ticked(self, busy: Iterable[int]) -> None:
        """The regular look at open partitions; ``busy``: those with something fetched and not committed."""
        now = self._ticked_at = self._now()
        self._waits_since = {partition: self._waits_since.get(partition, now) for partition in busy}

    def committed(self, partition: int) -> None:
        """A transaction of the partition has ended well."""
        self._waits_since.pop(partition, None)

    def complaint(self, *, owned: int, opened: int) -> str | None:
        """What has not happened for too long, in words; ``None`` while all is well.

        ``owned``: partitions that are this worker's, ``opened``: of them, those that are being processed.
        """
        if opened < owned:
            return self._too_old(self._moved_at, "no partition was opened and no table restored any further")
        if owned == 0:
            return None
        for partition, since in self._waits_since.items():
            what = f"records of partition {partition} wait and nothing of it was committed"
            if (found := self._too_old(since, what)) is not None:
                return found
        # Both start anew with the partitions.
        fetched_at = self._moved_at if self._fetched_at is None else self._fetched_at
        ticked_at = max(self._moved_at, self._ticked_at or self._moved_at)
        return self._too_old(fetched_at, "no record was asked for") or self._too_old(
            ticked_at, "the clock was not looked at"
        )

    def _too_old(self, since: float, what: str) -> str | None:
        age_s = self._now() - since
        return f"for {age_s:.0f} s {what}" if age_s > self._patience_s else None
