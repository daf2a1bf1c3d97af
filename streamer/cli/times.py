"""Durations and moments as people type them: ``28d``, ``12h``; ``2017-10-01``."""

from __future__ import annotations

import re
from typing import Final

import click

from schemas.timestamps import parse_instant
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

_UNITS_MS: Final = {"d": DAY_MS, "h": HOUR_MS, "min": MINUTE_MS, "s": SECOND_MS}
_WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)(d|h|min|s)")


class Duration(click.ParamType):
    """A positive duration; its value is in milliseconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds of ``28d`` and the like."""
        if isinstance(value, int):
            return value
        written = _WRITTEN.fullmatch(str(value).strip())
        duration = round(float(written[1]) * _UNITS_MS[written[2]]) if written else 0
        if duration <= 0:
            self.fail(
                f"{value!r} is not a duration: write a number and d, h, min or s, as in 28d", param, ctx
            )
        return duration


class Instant(click.ParamType):
    """A moment, as :func:`~schemas.timestamps.parse_instant` reads it; its value is epoch milliseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds of ``2017-10-01`` and the like."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Instants(click.ParamType):
    """Moments with commas between them; the value is a tuple of epoch milliseconds, in the order given."""

    name = "time[,time...]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Epoch milliseconds of ``2017-10-01,2017-11-01`` and the like."""
        if isinstance(value, tuple):
            return value
        return tuple(Instant().convert(text, param, ctx) for text in str(value).split(","))
