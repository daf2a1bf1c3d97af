"""How fast events are committed, as a mean over the last seconds. Pure: the time is passed in."""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0


class CommitRate:
    """Commits come in bursts, so the rate is that of a whole window; it rises from 0 while that fills."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._looks: deque[tuple[float, int]] = deque()

    def note(self, at_s: float, events: int) -> None:
        """Note how many events are committed by now, also when none came; both arguments never fall."""
        self._looks.append((at_s, events))
        # The newest look that lies a whole window back is what the rate counts from.
        while len(self._looks) > 1 and self._looks[1][0] <= at_s - self._window_s:
            self._looks.popleft()

    def per_s(self) -> float:
        """Events a second over the window before the newest look; 0 without any."""
        if not self._looks:
            return 0.0
        (start, before), (end, after) = self._looks[0], self._looks[-1]
        return (after - before) / max(end - start, self._window_s)
