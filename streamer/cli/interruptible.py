"""Ctrl-C that asks a long job to end with what it has; a second one ends the process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import click


class Interruption(Protocol):
    """``requested`` is set by Ctrl-C once the job has ``heeded`` set; before, the process just ends."""

    requested: bool
    heeded: bool


@contextmanager
def interruptible(interruption: Interruption) -> Iterator[None]:
    """Turn the first SIGINT into a request to ``interruption``."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's
        if interruption.requested or not interruption.heeded:
            raise KeyboardInterrupt
        interruption.requested = True
        click.echo("ending with the best so far; Ctrl-C again ends at once", err=True)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
