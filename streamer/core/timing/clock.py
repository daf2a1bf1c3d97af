"""A partition's clock: event time as far as the partition's records prove that it has passed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEVER_MS = -(2**62)
"""A clock that has seen nothing."""


def clock_after(
    clock_ms: int, events_ms: npt.NDArray[np.int64], records_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The clock after each record: the running maximum of min(event time, Kafka timestamp), epoch ms.

    The minimum keeps an event stamped in the future, or a record appended late, from pushing time
    ahead of both. ``records_ms`` is negative for a record without a timestamp, which then proves nothing.

    >>> events_ms = np.array([7, 90, 8])  # the second is stamped in the future
    >>> clock_after(5, events_ms, records_ms=np.array([7, 9, 8])).tolist()
    [7, 9, 9]"""
    proven = np.where(records_ms < 0, events_ms, np.minimum(events_ms, records_ms))
    return np.maximum(np.maximum.accumulate(proven), clock_ms)
