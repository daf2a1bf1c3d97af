"""What a training is told by its caller, and what it tells: progress, and the wish to end early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Stage(NamedTuple):
    """A part of the work ahead: the most ``units`` of it, and the ``cost`` of one beside others' units."""

    name: str
    units: int
    cost: float


class Report(Protocol):
    """Follows how training gets on."""

    def plan(self, stages: Sequence[Stage]) -> None:
        """All stages still ahead, in their order."""
        ...

    def done(self, stage: str, units: int) -> None:
        """``units`` more of ``stage`` were done."""
        ...

    def finished(self, stage: str) -> None:
        """``stage`` needs no more of its units."""
        ...


class Silent:
    """Tells nobody."""

    def plan(self, stages: Sequence[Stage]) -> None:
        """See :class:`Report`."""

    def done(self, stage: str, units: int) -> None:
        """See :class:`Report`."""

    def finished(self, stage: str) -> None:
        """See :class:`Report`."""


class Interruption:
    """The wish to end early with what there is.

    ``heeded``: from this on training has something to end with; before, the process may just end.
    """

    def __init__(self) -> None:
        self.requested = False
        self.heeded = False
