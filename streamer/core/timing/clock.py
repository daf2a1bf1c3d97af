"""A partition's clock: event time as far as the partition's records prove that it has passed."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.timestamps import LATEST_MS

NEVER_MS = -(2**62)
"""A clock that has seen nothing."""

AHEAD_OF_WALL_MS: Final = 60_000
"""How far the clocks of machines that keep time may differ."""


def latest_ms(wall_ms: int | None) -> int:
    """The latest moment that a record read at ``wall_ms`` can have been written at, epoch ms.

    ``wall_ms``: ``None`` where wall time does not count.
    """
    return LATEST_MS if wall_ms is None else wall_ms + AHEAD_OF_WALL_MS


def written_ms(timestamp_ms: int, latest_ms: int) -> int:
    """When a record counts as written, epoch ms, by its Kafka timestamp, which is negative where it has none.

    A timestamp is believed up to ``latest_ms``. A record without one counts as written at that moment:
    nothing then tells a late event from a timely one, so its event's own time counts, as far as it can be
    true. An event may be a day ahead of this moment (``schemas.wire.decoding``), and moves the clock up to
    it at most.
    """
    return timestamp_ms if 0 <= timestamp_ms <= latest_ms else latest_ms


def clock_after(
    clock_ms: int, events_ms: npt.NDArray[np.int64], records_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The clock after each record: the running maximum of min(event time, time of writing), epoch ms.

    The minimum keeps an event stamped in the future, or a record appended late, from pushing time
    ahead of both. ``records_ms``: :func:`written_ms` of each.

    >>> events_ms = np.array([7, 90, 8])  # the second is stamped in the future
    >>> clock_after(5, events_ms, records_ms=np.array([7, 9, 8])).tolist()
    [7, 9, 9]
    """
    return np.maximum(np.maximum.accumulate(np.minimum(events_ms, records_ms)), clock_ms)


def jumps(
    clock_ms: int, events_ms: npt.NDArray[np.int64], records_ms: npt.NDArray[np.int64], longest_gap_ms: int
) -> dict[int, int]:
    """Places of the events that would move the clock by more than ``longest_gap_ms``, and from which moment.

    Each is seen from the clock that those before it have moved, these left out; so it does not matter how
    events fall into batches. From a clock that has seen nothing any event may move it.
    """
    proven = np.minimum(events_ms, records_ms)
    clocks = clock_after(clock_ms, events_ms, records_ms)
    before = np.concatenate((np.array([clock_ms]), clocks))[: len(proven)]
    if not ((proven - before > longest_gap_ms) & (before != NEVER_MS)).any():
        return {}
    found: dict[int, int] = {}
    for place, moment_ms in enumerate(proven.tolist()):
        if clock_ms != NEVER_MS and moment_ms - clock_ms > longest_gap_ms:
            found[place] = clock_ms
        else:
            clock_ms = max(clock_ms, moment_ms)
    return found
