"""Epoch milliseconds (UTC) to RFC 3339 text and back, exactly: no float touches a time.

Times inside the program are integers, milliseconds since 1970-01-01T00:00:00Z. On the wire they are
RFC 3339 text ending in ``Z``, with three decimals only where the milliseconds are not zero.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from schemas.units import DAY_MS

MILLISECONDS_PER_SECOND: Final = 1_000

LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01T00:00:00Z, which no record is written at; what has a later time has none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
# Looked up, since every score is stamped, and a format specification costs more than the rest of it.
_TWO_DIGITS: Final = tuple(f"{number:02}" for number in range(60))
_THREE_DIGITS: Final = tuple(f"{number:03}" for number in range(MILLISECONDS_PER_SECOND))
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]


def to_epoch_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware ``datetime``; what is finer is cut off (towards the past)."""
    delta = moment - _EPOCH
    return delta.days * DAY_MS + delta.seconds * 1_000 + delta.microseconds // 1_000


def format_timestamp(epoch_ms: int) -> str:
    """``2017-03-02T18:04:11Z``, or ``…11.250Z`` where the milliseconds are not zero.

    Raises ``ValueError`` outside the years 1 to 9999, which RFC 3339 cannot write.
    """
    seconds, ms = divmod(epoch_ms, MILLISECONDS_PER_SECOND)
    minutes, second = divmod(seconds, 60)
    if ms:
        return f"{_minute_text(minutes)}{_TWO_DIGITS[second]}.{_THREE_DIGITS[ms]}Z"
    return f"{_minute_text(minutes)}{_TWO_DIGITS[second]}Z"


def parse_timestamp(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time with a zone; raises ``ValueError`` for anything else.

    A leap second (``23:59:60``) is refused: epoch milliseconds have no place for it.
    """
    try:
        return to_epoch_ms(msgspec.convert(text, _AWARE))
    except msgspec.ValidationError as error:
        raise ValueError(
            f"{text!r} is not a time with a zone: write it like 2017-03-02T18:04:11Z (RFC 3339)"
        ) from error


def parse_instant(text: str) -> int:
    """Epoch milliseconds of what a person types: RFC 3339, a bare date (its midnight, UTC), or epoch ms.

    Raises ``ValueError`` that says what is accepted.
    """
    stripped = text.strip()
    try:
        if stripped.isascii() and stripped.removeprefix("-").isdigit() and len(stripped) > 8:
            epoch_ms = int(stripped)
            format_timestamp(epoch_ms)
            return epoch_ms
        if len(stripped) == len("2017-03-02"):
            return (date.fromisoformat(stripped).toordinal() - _EPOCH_ORDINAL) * DAY_MS
        return parse_timestamp(stripped)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not a time: write 2017-03-02, 2017-03-02T18:04:11Z or epoch milliseconds"
        ) from error


@lru_cache(maxsize=4096)
def _minute_text(minutes: int) -> str:
    """``2017-03-02T18:04:``; what comes together mostly shares the minute."""
    days, rest = divmod(minutes, 24 * 60)
    hour, minute = divmod(rest, 60)
    ordinal = days + _EPOCH_ORDINAL
    if not 1 <= ordinal <= date.max.toordinal():
        raise ValueError(f"day {days} since 1970 is outside the years 1 to 9999")
    return f"{date.fromordinal(ordinal).isoformat()}T{hour:02}:{minute:02}:"
