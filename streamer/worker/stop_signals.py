"""SIGTERM and SIGHUP while a worker starts: it ends in order, and with 0, as it does once it runs."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn


def end_on_signals() -> None:
    """From now on SIGTERM and SIGHUP end the process with 0, wherever it is; Faust's own handlers follow."""
    signal.signal(signal.SIGTERM, _end)
    if hangup_counts():
        signal.signal(signal.SIGHUP, _end)


def hangup_counts() -> bool:
    """Whether SIGHUP is to end the worker; under ``nohup`` it is not."""
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
