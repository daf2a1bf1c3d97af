"""Processor seconds, wall seconds and memory of a process, read from the system."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import NamedTuple

import psutil


class Usage(NamedTuple):
    """``cpu_s``: user and system time since the process began. ``broker_cpu_s``: the broker's."""

    at: float
    cpu_s: float
    broker_cpu_s: float


class Meter:
    """Reads two processes at once: the one measured, and the broker behind it."""

    def __init__(self, pid: int, broker_pid: int) -> None:
        self._process = psutil.Process(pid)
        self._broker = psutil.Process(broker_pid)

    def read(self) -> Usage:
        """As of now."""
        return Usage(monotonic(), _cpu_s(self._process), _cpu_s(self._broker))


def folder_bytes(folder: Path) -> int:
    """What the files below ``folder`` take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
