"""One measured backlog, and what it says by the second."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """``events``: scored in ``cpu_s`` seconds of processor time, from nothing to the last one's effects.

    ``counted`` of them were seen to be done in ``wall_s`` seconds: those after the first that was. The broker
    needed ``broker_cpu_s`` for all of them.
    """

    events: int
    cpu_s: float
    broker_cpu_s: float
    counted: int
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Events a second of processor time."""
        return self.events / self.cpu_s

    @property
    def per_wall_s(self) -> float:
        """Events a second of wall time."""
        return self.counted / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time an event."""
        return 1e6 * self.cpu_s / self.events
