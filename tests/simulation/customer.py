"""What the witness knows of a user, and of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.engine.partition import Rules
from tests.simulation.history import History, Sums
from tests.simulation.models import SimulatedModel
from tests.simulation.traffic import Delivery

SLACK = 1e-5
"""Features are 32-bit, and the witness computes with 64."""


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
    for that. ``competed_ms``: the newest day's end at which the user competed for the budget.

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
    """The rules in force: policy and bundle."""

    rules: Rules
    model: SimulatedModel

    def risk(self, customer: Customer, now_ms: int) -> float:
        """The user's risk at ``now_ms``, from the plain history."""
        return self.model.expected_risk(customer.history, customer.history.sums, now_ms)

    def risks(self, customer: Customer, now_ms: int) -> tuple[float, float]:
        """Bounds of what the risk at ``now_ms`` may have been taken for: from the curve, or as it is."""
        history = customer.history
        sums = {history.sums, *self._curve_sums(customer)}
        risks = [self.model.expected_risk(history, each, now_ms) for each in sums]
        return min(risks), max(risks)

    def is_curve(self, customer: Customer, curve: Sequence[float]) -> bool:
        """Whether these are the risks at the silence grid's steps, of sums that may be in them."""
        moments = [customer.history.last_ms + silence for silence in self.model.silence_grid_ms]
        return any(
            all(
                abs(self.model.expected_risk(customer.history, sums, at) - risk) < SLACK
                for at, risk in zip(moments, curve, strict=True)
            )
            for sums in self._curve_sums(customer)
        )

    def level(self, risk: float) -> int:
        """How many bands' edges ``risk`` has reached."""
        return sum(risk >= edge for edge in self.rules.policy.edges)

    def _curve_sums(self, customer: Customer) -> set[Sums]:
        """Those that a curve of these rules may be made of."""
        return {sums for terms, sums in customer.curve_sums if terms == self}
