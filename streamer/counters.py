"""What a worker has done since it started, as plain numbers."""

from __future__ import annotations

from collections import Counter

import msgspec


class Counters(msgspec.Struct):
    """Counts of records and alerts.

    ``foreign_currency``: events whose amounts do not count. ``skipped`` by reason, ``dead_letters`` by error
    class, ``alerts`` by transition, ``decisions`` by what stood in the way, or ``sent``.
    """

    events: int = 0
    unknown_fields: int = 0
    foreign_currency: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    dead_letters: Counter[str] = msgspec.field(default_factory=Counter)
    scores: int = 0
    alerts: Counter[str] = msgspec.field(default_factory=Counter)
    decisions: Counter[str] = msgspec.field(default_factory=Counter)
