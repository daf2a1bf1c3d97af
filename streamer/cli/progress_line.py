"""One line on a terminal that says how far a long command is; nothing where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self, TypeVar

import click

from schemas.timestamps import format_timestamp

T = TypeVar("T")

_SECONDS_BETWEEN: Final = 0.2
_RECORDS_BETWEEN: Final = 1_024


class ProgressLine:
    """``12,288 events, 41,003/s, at 2017-03-02``, rewritten in place on standard error."""

    def __init__(self, unit: str) -> None:
        self.count = 0
        self._unit = unit
        self._started = time.monotonic()
        self._shown_at = 0.0
        self._shown = False
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            click.echo(err=True)

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._started

    def update(self, count: int, at_ms: int | None = None) -> None:
        """Show ``count`` records, and the time that they have come to."""
        self.count = count
        now = time.monotonic()
        if not self._terminal or now - self._shown_at < _SECONDS_BETWEEN:
            return
        self._shown_at = now
        self._shown = True
        rate = count / max(self.seconds, 1e-9)
        at = "" if at_ms is None else f", at {format_timestamp(at_ms)[:10]}"
        click.echo(f"\r\033[K{count:,} {self._unit}, {rate:,.0f}/s{at}", err=True, nl=False)

    def stage(self, name: str, count: int) -> None:
        """Show how far the stage ``name`` of the work is: ``rfm: 12,288 events``."""
        now = time.monotonic()
        if self._terminal and now - self._shown_at >= _SECONDS_BETWEEN:
            self._shown_at, self._shown = now, True
            click.echo(f"\r\033[K{name}: {count:,} {self._unit}", err=True, nl=False)

    def say(self, what: str) -> None:
        """Show what is done now, in words."""
        if self._terminal:
            self._shown = True
            click.echo(f"\r\033[K{what}", err=True, nl=False)

    def counting(self, records: Iterable[T]) -> Iterator[T]:
        """The same records, counted as they pass."""
        count = 0
        for count, record in enumerate(records, start=1):
            if count % _RECORDS_BETWEEN == 0:
                self.update(count)
            yield record
        self.update(count)
