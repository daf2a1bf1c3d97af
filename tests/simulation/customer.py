"""What the witness knows of a user, and of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.engine.partition import Rules
from tests.simulation.history import History, Sums, Usual
from tests.simulation.models import Foretold, SimulatedModel
from tests.simulation.traffic import Delivery

SLACK = 1e-5
"""Features are 32-bit, and the witness computes with 64."""

SLACK_MONEY = 1e-4
"""Of amounts, which may be small differences of large ones; above 10 it is :data:`SLACK` of them."""

SLACK_MS = 2


@dataclass
class Alert:
    """An episode as its consumer knows it; ``action`` says whether it is sent, held out or backfill."""

    alert_id: str | None
    revision: int
    level: int
    opened_ms: int
    changed_ms: int
    action: str


@dataclass
class Customer:
    """``waited``: a raise was withheld since the newest event. ``told_ms``: horizon at the newest placed one.

    ``heard_ms``: likewise, but at the end of its batch where the worker is live, as a raise found late waits
    for that. ``competed_ms``: the newest day's end at which the user competed for the budget. ``no_usual``:
    under which rules, by their number, it was put on record since the newest visit that nothing is usual.

    ``curve_sums``: those that the user's risk curve may be made of, each with the rules it would be a curve
    of. An event too old for the ring does not renew the curve. A change of rules does, at a moment that is
    the worker's own affair; where the former rules return before that moment, their curve still stands.
    """

    history: History = field(default_factory=History)
    alert: Alert | None = None
    closed_ms: int | None = None
    raised_ms: list[int] = field(default_factory=list[int])
    waited: bool = False
    told_ms: int = 0
    heard_ms: int = 0
    competed_ms: int = 0
    no_usual: int | None = None
    curve_sums: tuple[tuple[Terms, Sums], ...] = ()

    def raised_within_week(self, now_ms: int) -> int:
        """Alerts sent, or held out, within the week that ends at ``now_ms``."""
        return sum(at > now_ms - 7 * DAY_MS for at in self.raised_ms)


class Batch(NamedTuple):
    """``horizons_ms``: up to where time has passed at each record, and at the end; ``before_ms`` before all.

    ``now_ms`` is wall time, ``None`` where it does not count; ``held``: raises and escalations must wait.
    """

    deliveries: Sequence[Delivery]
    decisions: Sequence[Decision]
    horizons_ms: Sequence[int]
    before_ms: int
    now_ms: int | None
    held: bool


class Terms(NamedTuple):
    """The rules in force: policy and bundle.

    The signal is what alerts go by, the probability or the money expected to be lost; below everything for
    whom nothing is usual.
    """

    rules: Rules
    model: SimulatedModel

    @property
    def by_loss(self) -> bool:
        return self.rules.policy.alert_by == "loss"

    @property
    def raise_edge(self) -> float:
        """The signal from which on a customer may be raised."""
        policy = self.rules.policy
        return max(policy.edges[0], policy.least_loss) if self.by_loss else policy.edges[0]

    def leave_edge(self, level: int) -> float:
        """The signal below which a band is left."""
        edge, hysteresis = self.rules.policy.edges[level - 1], self.rules.policy.hysteresis
        return edge - hysteresis * edge if self.by_loss else edge - hysteresis

    def foretold(self, customer: Customer, now_ms: int) -> Foretold:
        """What is foretold at ``now_ms``, from the plain history."""
        return self.model.foretold(customer.history, customer.history.sums, now_ms)

    def usual(self, customer: Customer) -> Usual | None:
        """What is usual, from the plain history."""
        return self.model.usual(customer.history, customer.history.sums)

    def last_visit_ms(self, customer: Customer) -> int | None:
        """When the user last came, as churn has it."""
        counts_all, placed = self.rules.any_event_returns, customer.history.placed
        visits = (past.time_ms for past in reversed(placed) if counts_all or past.kind == "purchase")
        return next(visits, None)

    def is_unknown(self, customer: Customer) -> bool:
        """Whether nothing is usual for the user, and the model would know."""
        return self.model.decline is not None and self.usual(customer) is None

    def overdue_ms(self, customer: Customer) -> float:
        """Before that moment the user is on time."""
        usual = self.usual(customer)
        return 0.0 if usual is None else usual.overdue_ms(self.rules.policy.least_overdue)

    def signal(self, customer: Customer, now_ms: int) -> float:
        """The user's signal at ``now_ms``."""
        return self._signal(customer.history, customer.history.sums, now_ms)

    def signals(self, customer: Customer, now_ms: int) -> tuple[float, float]:
        """Bounds of what the signal at ``now_ms`` may have been taken for: from the curve, or as it is."""
        history = customer.history
        sums = {history.sums, *self._curve_sums(customer)}
        signals = [self._signal(history, each, now_ms) for each in sums]
        return min(signals), max(signals)

    def are_curves(self, customer: Customer, absence: Sequence[float], followed: Sequence[float]) -> bool:
        """Whether these are absence and signal at the silence grid's steps, of sums that may be in them."""
        history, grid = customer.history, self.model.silence_grid_ms
        moments = [history.last_ms + silence for silence in grid]
        return any(
            all(
                abs(self.model.foretold(history, sums, at).absence - risk) < SLACK
                for at, risk in zip(moments, absence, strict=True)
            )
            and all(
                self._is_signal(self._signal(history, sums, at), signal)
                for at, signal in zip(moments, followed, strict=True)
            )
            for sums in self._curve_sums(customer)
        )

    def slack(self, signal: float) -> float:
        """How far what the core finds may be from ``signal``."""
        return money_slack(signal) if self.by_loss else SLACK

    def is_level_of(self, customer: Customer, decision: Decision) -> bool:
        """Whether the decision's band is that of the signal: of an amount, as far as one can tell."""
        if not self.by_loss:
            return decision.level == self._level(decision.risk)
        signal = self.signal(customer, decision.decided_ms)
        lowest, highest = (
            self._level(each) for each in (signal - self.slack(signal), signal + self.slack(signal))
        )
        return lowest <= decision.level <= highest

    def is_below(self, edge: float, customer: Customer, decision: Decision) -> bool:
        """Whether the signal is below ``edge``: of an amount, as far as one can tell."""
        if not self.by_loss and not self.is_unknown(customer):
            return decision.risk < edge
        return self.signal(customer, decision.decided_ms) < edge + self.slack(edge)

    def _level(self, signal: float) -> int:
        return sum(signal >= edge for edge in self.rules.policy.edges) if signal >= self.raise_edge else 0

    def _is_signal(self, signal: float, found: float) -> bool:
        return math.isnan(found) if signal == -math.inf else abs(found - signal) < self.slack(signal)

    def _signal(self, history: History, sums: Sums, now_ms: int) -> float:
        foretold = self.model.foretold(history, sums, now_ms)
        if self.by_loss:
            return -math.inf if foretold.loss is None else foretold.loss
        unknown = self.model.decline is not None and self.model.usual(history, sums) is None
        return -math.inf if unknown else foretold.risk

    def _curve_sums(self, customer: Customer) -> set[Sums]:
        """Those that a curve of these rules may be made of."""
        return {sums for terms, sums in customer.curve_sums if terms == self}


def money_slack(amount: float) -> float:
    """How far an amount that the core finds may be from ``amount``."""
    return max(SLACK_MONEY, SLACK * abs(amount)) if math.isfinite(amount) else 0.0
