"""Days and hours as the shop's customers live them: a time zone as a pure value.

A day begins at its first midnight on the clock. Where a clock that is turned back at or after midnight shows
the old date again, the new day goes on, so that the number of the day never falls.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS


@dataclass(frozen=True)
class Calendar:
    """A zone's clock. ``name``: its IANA name.

    ``transitions_ms``: the moments (epoch ms, ascending) at which the distance to UTC changes;
    ``offsets_ms``: local time less UTC, before the first of them and from each one on.

    >>> an_hour_east = Calendar("Etc/GMT-1", (), (3_600_000,))
    >>> an_hour_east.days(np.array([0.0, 82_800_000.0])).tolist()  # 1 a.m., and the next midnight
    [0.0, 1.0]
    >>> an_hour_east.next_midnight_ms(0)
    82800000"""

    name: str
    transitions_ms: tuple[int, ...]
    offsets_ms: tuple[int, ...]

    def local_ms(self, times_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What the clock on the wall shows at ``times_ms`` (epoch ms), as milliseconds since 1970."""
        if self.transitions_ms:
            return times_ms + self._offsets[self._spans(times_ms)]
        return times_ms + self.offsets_ms[0] if self.offsets_ms[0] else times_ms

    def days(self, times_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The number of the local day at ``times_ms`` (epoch ms), NaN at NaN."""
        days = np.floor(self.local_ms(times_ms) / DAY_MS)
        return np.maximum(days, self._least_days[self._spans(times_ms)]) if self.transitions_ms else days

    def next_midnight_ms(self, after_ms: int) -> int:
        """When the local day of ``after_ms`` ends: the first moment (epoch ms) of a later day."""
        span = bisect_right(self.transitions_ms, after_ms)
        begun = (after_ms + self.offsets_ms[span]) // DAY_MS
        midnight_ms = (max(begun, self._begun[span]) + 1) * DAY_MS
        later_ms = self.transitions_ms[span:]
        # A clock turned forward may leave midnight out: the day then begins with what comes instead.
        moments_ms = (
            (max(midnight_ms - offset_ms, start_ms), end_ms)
            for start_ms, end_ms, offset_ms in zip(
                (after_ms, *later_ms), (*later_ms, _FOREVER), self.offsets_ms[span:], strict=True
            )
        )
        return next(moment_ms for moment_ms, end_ms in moments_ms if moment_ms < end_ms)

    @cached_property
    def _begun(self) -> tuple[int, ...]:
        """The latest day that had begun before each span between transitions."""
        days = [
            (end_ms - 1 + offset_ms) // DAY_MS
            for end_ms, offset_ms in zip(self.transitions_ms, self.offsets_ms, strict=False)
        ]
        return tuple(accumulate(days, max, initial=-_FOREVER))

    @cached_property
    def _least_days(self) -> npt.NDArray[np.float64]:
        return np.array(self._begun, dtype=np.float64)

    @cached_property
    def _offsets(self) -> npt.NDArray[np.float64]:
        return np.array(self.offsets_ms, dtype=np.float64)

    @cached_property
    def _transitions(self) -> npt.NDArray[np.float64]:
        return np.array(self.transitions_ms, dtype=np.float64)

    def _spans(self, times_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        return np.searchsorted(self._transitions, times_ms, side="right")


_FOREVER: Final = 2**62

UTC: Final = Calendar("UTC", (), (0,))
