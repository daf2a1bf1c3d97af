"""What is tried in a campaign: which load meets the faults, in which mode, and who judges the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tests.faults.checker import Observed
from tests.faults.findings import Finding
from tests.faults.inject.field import Crowd, Fault, Field
from tests.faults.reading import Rows
from tests.faults.schedule import Strike
from tests.faults.shoppers import Sent


@dataclass(frozen=True)
class Plan:
    """What is to strike. ``minutes``: no fault begins later; the rest of the schedule is left out."""

    schedule: Sequence[Strike]
    faults: Mapping[str, Fault]
    minutes: float


class Ended(NamedTuple):
    """A trial whose work is done. ``environment``: the workers' settings in the beginning.

    ``stopped_ms``: from when to when the workers were stopped, epoch milliseconds.
    """

    field: Field
    environment: Mapping[str, str]
    events: Rows
    observed: Mapping[int, Observed]
    stopped_ms: tuple[int, int]


class Trial(Protocol):
    """``settings``: of the workers, besides the shop's own. ``per_s``: records a second.

    ``settle_s``: how long after the last record something may still be decided.
    """

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def per_s(self) -> float: ...

    @property
    def settle_s(self) -> float: ...

    def backlog(self) -> Sequence[Sent]:
        """What the events topic holds before the first worker starts."""
        ...

    def records(self) -> Iterator[Sent]:
        """The load, without end."""
        ...

    @property
    def crowd(self) -> Crowd:
        """Who sends it."""
        ...

    def judge(self, ended: Ended) -> Iterator[Finding]:
        """All that is wrong with what the workers have left."""
        ...
