"""What a worker has done since it started, as plain numbers."""

from __future__ import annotations

from collections import Counter

import msgspec


class Counters(msgspec.Struct):
    """Counts of records and alerts.

    ``forwarded``: of the records read, those sent on to their users' partitions, where they are events.
    ``foreign_currency``: events whose amounts do not count. ``skipped`` by reason, ``dead_letters`` by error
    class, ``alerts`` by transition, ``decisions`` by what stood in the way, or ``sent``.
    """

    events: int = 0
    unknown_fields: int = 0
    foreign_currency: int = 0
    forwarded: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    dead_letters: Counter[str] = msgspec.field(default_factory=Counter)
    source_down: bool = False
    scores: int = 0
    alerts: Counter[str] = msgspec.field(default_factory=Counter)
    decisions: Counter[str] = msgspec.field(default_factory=Counter)
