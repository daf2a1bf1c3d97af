"""A partition's clock: event time as far as the partition's records prove that it has passed."""

from __future__ import annotations

NEVER_MS = -(2**62)
"""A clock that has seen nothing."""


def advance_clock(clock_ms: int, event_ms: int, record_ms: int) -> int:
    """The running maximum of min(event time, Kafka timestamp), all in epoch milliseconds.

    The minimum keeps an event stamped in the future, or a record appended late, from pushing time
    ahead of both. ``record_ms`` is negative for a record without a timestamp, which then proves nothing.
    """
    proven = event_ms if record_ms < 0 else min(event_ms, record_ms)
    return max(clock_ms, proven)
