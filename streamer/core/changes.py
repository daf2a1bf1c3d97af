"""What the core puts out: values that the shell turns into messages."""

from __future__ import annotations

from typing import Literal, NamedTuple

AlertKind = Literal["raised", "escalated", "resolved"]
Reason = Literal["crossed", "silence", "purchase", "expired", "late_event"]


class AlertChange(NamedTuple):
    """One revision of an alert. Times are epoch milliseconds; ``level`` 1 is the lowest band.

    ``offset`` is that of the user's newest record at the decision.
    """

    user_id: str
    kind: AlertKind
    reason: Reason
    alert_id: str
    revision: int
    level: int
    risk: float
    decided_ms: int
    last_ms: int
    offset: int


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
    """An alert change and its place in the partition's order."""

    moment: Moment
    change: AlertChange
