"""Who was alerted or held out, and who came back.

The holdout is drawn by user, so a user counts once: with the first raise that was sent, or would have
been. What came before a user's first raise, and whether the user was alerted again, is then no bias.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.decision import DecisionMessage
from schemas.event import Event, is_return
from schemas.timestamps import parse_timestamp

Arm = Literal["sent", "held_out"]


class Raise(NamedTuple):
    """A user's first raise. ``decided_ms`` is event time, epoch milliseconds."""

    arm: Arm
    decided_ms: int


@dataclass
class Raises:
    """First raises by user. ``in_both``: users dropped because they were held out for some time only."""

    first: dict[str, Raise] = field(default_factory=lambda: dict[str, Raise]())
    in_both: set[str] = field(default_factory=lambda: set[str]())


class Returned(NamedTuple):
    """Of so many users, so many returned within the horizon."""

    users: int
    returned: int

    @property
    def rate(self) -> float:
        """Share that returned; NaN without users."""
        return self.returned / self.users if self.users else float("nan")


class Outcome(NamedTuple):
    """``open``: users whose horizon reaches beyond the newest event, who count in neither arm."""

    sent: Returned
    held_out: Returned
    open: int


def first_raises(decisions: Iterable[DecisionMessage]) -> Raises:
    """Each user's first raise that was sent or held out; backfill and other decisions do not count."""
    raises = Raises()
    for decision in decisions:
        if decision.would != "raised":
            continue
        user_id = decision.user_id
        if decision.action != "sent" and decision.action != "held_out":
            continue
        new = Raise(decision.action, parse_timestamp(decision.decided_at))
        known = raises.first.get(user_id, new)
        if known.arm != new.arm:
            raises.in_both.add(user_id)
        raises.first[user_id] = min(known, new, key=lambda one: one.decided_ms)
    for user_id in raises.in_both:
        del raises.first[user_id]
    return raises


def outcome(raises: Raises, events: Iterable[Event], horizon_ms: int, *, any_event: bool) -> Outcome:
    """Whether each user came back within ``horizon_ms`` after the decision.

    A return is a purchase, or anything that the customer did where ``any_event``. The events may come in
    any order.
    """
    back: set[str] = set()
    newest_ms = 0
    for event in events:
        newest_ms = max(newest_ms, event.timestamp)
        first = raises.first.get(event.user_id)
        if first is None or not is_return(event.type, any_event):
            continue
        if 0 < event.timestamp - first.decided_ms <= horizon_ms:
            back.add(event.user_id)
    over = {u: first.arm for u, first in raises.first.items() if first.decided_ms + horizon_ms <= newest_ms}

    def arm(name: Arm) -> Returned:
        users = [user_id for user_id, of in over.items() if of == name]
        return Returned(len(users), sum(user_id in back for user_id in users))

    return Outcome(arm("sent"), arm("held_out"), len(raises.first) - len(over))
