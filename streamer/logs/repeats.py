"""A library that repeats itself, as aiokafka does while a broker is away, is heard now and then only."""

from __future__ import annotations

import logging
from time import monotonic

SILENCE_S = 10.0
MOST_REMEMBERED = 1000


class RepeatFilter(logging.Filter):
    """Passes a line of ``loggers`` (and those below them) again only after ten seconds without it.

    The line that passes says how many like it were left out. Lines are alike when logger and unformatted
    message are.
    """

    def __init__(self, loggers: tuple[str, ...]) -> None:
        super().__init__()
        self._loggers = loggers
        self._heard: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` is to be logged."""
        if record.name.split(".")[0] not in self._loggers:
            return True
        line, now = (record.name, str(record.msg)), monotonic()
        heard_at, left_out = self._heard.get(line, (-SILENCE_S, 0))
        if now - heard_at < SILENCE_S:
            self._heard[line] = (heard_at, left_out + 1)
            return False
        if len(self._heard) >= MOST_REMEMBERED:
            self._heard.clear()
        self._heard[line] = (now, 0)
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like it)"
        return True
