"""Two deployments to be run: one on event time alone, one live."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.units import DAY_MS, SECOND_MS
from streamer.testing import PartitionDriver
from tests.simulation.deployment import POLICIES, Deployment, silences, sizes, visits
from tests.simulation.traffic import Visit

DISORDER_MS = POLICIES[0].disorder_ms


class EventTime(Deployment):
    """Event-time rules alone; a second worker that gets everything at once must put out the same bytes."""

    live = False

    def __init__(self) -> None:
        super().__init__()
        self.whole: PartitionDriver | None = None
        self.replayed = 0
        self.forgotten = 0

    @rule(visits=visits, size=sizes, crash=st.booleans())
    def traffic(self, visits: list[Visit], size: int, crash: bool) -> None:
        """Visits arrive in batches of ``size``; the first attempt at the first one may die."""
        for visit in visits:
            self.log.append(visit)
        while self.position < len(self.log.deliveries):
            self.consume(size, crash=crash)
            crash = False

    @rule(silence_ms=silences)
    def silence(self, silence_ms: int) -> None:
        """Nobody comes."""
        self.steps["silence"] += 1
        self.log.now_ms += silence_ms

    def end_of_rules(self) -> None:
        """Feed the second worker everything since the rules changed, in batches as large as can be."""
        if self.whole is None:
            self.whole = PartitionDriver(self.worker.rules, self.worker.model)
        self.whole.rules, self.whole.model = self.worker.rules, self.worker.model
        self.whole.recover()
        for position, erasure in [*self.erased[self.forgotten :], (self.position, None)]:
            self.whole.process([d.record for d in self.log.deliveries[self.replayed : position]])
            self.replayed = position
            if erasure is not None:
                self.whole.erase([erasure])
        self.forgotten = len(self.erased)
        assert self.whole.decisions == self.worker.decisions, "another split, other decisions"
        assert self.whole.table == self.worker.table, "another split, other state"
        assert self.whole.marks == self.worker.marks


class Live(Deployment):
    """Wall time moves the clock of a worker that has caught up; raises wait while it lags."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self.up = True

    @rule(visits=visits, size=sizes, crash=st.booleans())
    def traffic(self, visits: list[Visit], size: int, crash: bool) -> None:
        """Visits arrive while the worker is up or down; up, it takes them ``size`` at a time as they come."""
        for start in range(0, len(visits), size):
            for visit in visits[start : start + size]:
                self.log.append(visit)
            if self.up and self.position < len(self.log.deliveries):
                self.consume(size, self.log.now_ms, crash=crash)
                crash = False

    @rule(silence_ms=silences, ticks=st.integers(1, 4))
    def silence(self, silence_ms: int, ticks: int) -> None:
        """Nobody comes, and the worker ticks."""
        for _ in range(ticks):
            self.log.now_ms += silence_ms // ticks
            if self.up:
                self.consume(0, self.log.now_ms)

    @rule(nights=st.integers(1, 3))
    def night(self, nights: int) -> None:
        """Nobody comes, and the worker ticks just before a day ends, and just after."""
        for _ in range(nights):
            self.log.now_ms = (self.log.now_ms // DAY_MS + 1) * DAY_MS + DISORDER_MS - 5 * SECOND_MS
            for _ in range(2):
                if self.up:
                    self.consume(0, self.log.now_ms)
                self.log.now_ms += 20 * SECOND_MS

    @rule(silence_ms=silences)
    def outage(self, silence_ms: int) -> None:
        """The source is down, so time stands still for the worker, however long it lasts."""
        self.log.now_ms += silence_ms
        if self.up:
            self.consume(0, held=True)

    @precondition(lambda self: self.up)
    @rule()
    def stop(self) -> None:
        """The worker goes down; what is sent meanwhile waits in the log."""
        self.steps["stop"] += 1
        self.up = False

    @precondition(lambda self: not self.up)
    @rule(size=sizes, crash=st.booleans())
    def start(self, size: int, crash: bool) -> None:
        """The worker comes back and catches up; the batch that reaches the end is the first not held."""
        self.steps["start"] += 1
        self.up = True
        self.recover()
        self.carry_out()
        while self.position + size < len(self.log.deliveries):
            self.consume(size, held=True, crash=crash)
            crash = False
        self.consume(size, self.log.now_ms)
