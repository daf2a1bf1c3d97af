"""What the core puts out: values that the shell turns into messages."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.alert import DriverCode
from streamer.core.model.outlook import NO_OUTLOOK, Outlook

Transition = Literal["raised", "escalated", "deescalated", "resolved"]
Reason = Literal["crossed", "silence", "purchase", "recovered", "expired", "erased", "late_event"]
Action = Literal["sent", "suppressed", "held_out", "overtaken", "backfill"]
Obstacle = Literal[
    "cooldown", "cap", "budget", "not_eligible", "no_usual", "churned", "holdout", "lag", "alerts_from"
]


class Driver(NamedTuple):
    """One reason for a risk: a quantity, what it usually is, and its signed share in log-odds."""

    code: DriverCode
    value: float | None
    usual: float | None
    importance: float


class UsualFigures(NamedTuple):
    """What is usual for a user: visit days and spend a day, and the days between two visits.

    ``overdue``: usual gaps since the last visit.
    """

    visit_days: float
    spend: float
    gap_days: float
    overdue: float


class Decision(NamedTuple):
    """One decision of the policy; it is an alert where ``action`` is ``sent``.

    ``transition`` is what was, or would have been, sent, and ``reason`` what brought it about;
    ``obstacle`` says why it was not sent. ``alert_id`` and ``revision`` belong to what was sent. Times are
    epoch milliseconds; ``level`` 1 is the lowest band; ``offset`` is that of the user's newest record.
    ``absence``, ``loss`` and ``usual`` come with all alerts sent by a model that foretells decline, save the
    last one of who is erased.
    ``drivers``, the most important first, and ``outlook`` come with alerts that are open;
    ``next_purchase_ms``, when the next purchase is due, with all alerts sent, where it is known.
    """

    user_id: str
    action: Action
    transition: Transition
    reason: Reason
    obstacle: Obstacle | None
    alert_id: str | None
    revision: int | None
    level: int
    risk: float
    decided_ms: int
    last_ms: int
    offset: int
    drivers: tuple[Driver, ...] = ()
    outlook: Outlook = NO_OUTLOOK
    next_purchase_ms: int | None = None
    absence: float | None = None
    loss: float | None = None
    usual: UsualFigures | None = None


class Moment(NamedTuple):
    """Where an output stands among a partition's outputs, however records fall into batches.

    ``record``: index of the record whose arrival caused it, within the batch; ``phase``: 0 before the
    record is applied (the clock moved), 1 by the record, 2 after it.
    """

    record: int
    phase: int
    decided_ms: int
    user_id: str


class Output(NamedTuple):
    """A decision and its place in the partition's order."""

    moment: Moment
    decision: Decision
