"""What the checker objects to."""

from __future__ import annotations

from typing import Literal, NamedTuple

FindingKind = Literal[
    "lost",
    "doubled",
    "repeated_identical",
    "repeated_different",
    "false_alert",
    "missing_alert",
    "different",
    "offset_ahead",
    "not_recovered",
    "unfinished",
]
"""``lost``, ``doubled``: an event, or the dead letter or decision of one. ``different``: state, score or
order is not the reference's. ``offset_ahead``: committed past work that was not done. ``unfinished``: the
work was never done, or a process ended in a way that it must not."""


class Finding(NamedTuple):
    """One objection. ``cause``: offset of the input record that it is about, where that can be told.

    ``at_ms``: when the objectionable record was written, epoch milliseconds, where there is one. ``times``:
    how many events it is about.
    """

    kind: FindingKind
    partition: int
    what: str
    cause: int | None = None
    at_ms: int | None = None
    times: int = 1
