"""Times that cannot be meant: a number in another unit than milliseconds, an unset clock, the far future."""

from __future__ import annotations

from typing import Final

from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.units import DAY_MS
from schemas.wire.decoding import EARLIEST_TIMESTAMP_MS

LATEST_MS: Final = parse_timestamp("9999-12-31T23:59:59.999Z")
"""Later times cannot be written in RFC 3339: a number beyond is one of another unit."""

_UNSET_BEFORE_MS: Final = 366 * DAY_MS
_DIVISORS: Final = {"microseconds": 1_000, "nanoseconds": 1_000_000}
_SECONDS: Final = (EARLIEST_TIMESTAMP_MS // 1_000, 4_102_444_800)
"""From 1990 up to 2100, as seconds since 1970."""


def unit_of(epoch: int) -> str | None:
    """The unit in which ``epoch`` is a time of our days, where it is not one in milliseconds."""
    if _SECONDS[0] <= epoch < _SECONDS[1]:
        return "seconds"
    if epoch <= LATEST_MS:
        return None
    return next((unit for unit, divisor in _DIVISORS.items() if _is_plausible(epoch // divisor)), None)


def time_advice(epoch: int) -> str:
    """What is wrong with an implausible number of milliseconds, and what to write instead."""
    unit = unit_of(epoch)
    if unit == "seconds":
        return f"{epoch} are seconds ({format_timestamp(epoch * 1_000)}): multiply by 1000 for milliseconds."
    if unit is not None:
        divisor = _DIVISORS[unit]
        meant = format_timestamp(epoch // divisor)
        return f"{epoch} are {unit} ({meant}): divide by {divisor} for milliseconds."
    if 0 <= epoch < _UNSET_BEFORE_MS:
        return f"{epoch} is in 1970 or close to it, as of a clock that was never set: leave such rows out."
    return f"{epoch} is no time in milliseconds since 1970."


def kind_of_time(epoch: int) -> str:
    """The same as a short and stable name."""
    unit = unit_of(epoch)
    if unit is not None:
        return f"time in {unit}"
    return "time of 1970" if 0 <= epoch < _UNSET_BEFORE_MS else "time out of any range"


def _is_plausible(epoch_ms: int) -> bool:
    return EARLIEST_TIMESTAMP_MS <= epoch_ms <= LATEST_MS
