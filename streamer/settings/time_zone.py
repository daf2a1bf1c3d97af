"""Calendars by IANA name, from the time zone database of the machine or else of the package ``tzdata``."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from schemas.errors import ConfigurationError
from streamer.core.history.calendar import Calendar

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_STEP_S: Final = 86_400
"""No zone has changed its clock and taken that back within a day."""


def check_time_zone(setting: str | None, of_bundle: str) -> None:
    """Raise ``ConfigurationError`` where the setting is given and is not the bundle's zone."""
    if setting is not None and calendar_of(setting).name != of_bundle:
        raise ConfigurationError(
            f"time_zone: {setting} is not {of_bundle}, the zone in which the bundle was trained; train a "
            "bundle with this setting, or leave it out"
        )


@cache
def calendar_of(name: str) -> Calendar:
    """The calendar of the zone ``name``, exact from 1970 to 2100; before and after no clock is changed.

    Raises ``ConfigurationError`` that names the setting where there is no such zone.
    """
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "names are like Europe/Berlin or UTC"
        raise ConfigurationError(f"time_zone: {name!r} is no IANA time zone: {hint}") from error

    def offset_s(time_s: int) -> int:
        found = (_FIRST + timedelta(seconds=time_s)).astimezone(zone).utcoffset()
        assert found is not None
        return round(found.total_seconds())

    transitions: list[int] = []
    offsets = [offset_s(0)]
    for day_ends_s in range(_STEP_S, round((_LAST - _FIRST).total_seconds()), _STEP_S):
        if (offset := offset_s(day_ends_s)) == offsets[-1]:
            continue
        before_s, from_s = day_ends_s - _STEP_S, day_ends_s
        while from_s - before_s > 1:
            middle_s = (before_s + from_s) // 2
            if offset_s(middle_s) == offsets[-1]:
                before_s = middle_s
            else:
                from_s = middle_s
        transitions.append(from_s)
        offsets.append(offset)
    return Calendar(name, tuple(1000 * moment for moment in transitions), tuple(1000 * o for o in offsets))
