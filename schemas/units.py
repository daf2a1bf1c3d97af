"""Units of time in milliseconds, as every timestamp of the contract has them.

A day is 24 hours here; a shop's own days are those of :mod:`streamer.core.history.calendar`.
"""

from __future__ import annotations

from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
