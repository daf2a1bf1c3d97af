"""The way in from outside: events and options in, a bundle out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import torch

from models.bundle import Report, train_bundle
from models.configuration import ChurnTypes, Task
from models.histories import collect
from schemas.bundle import Manifest
from schemas.errors import ConfigurationError
from schemas.event import Event
from streamer.core.calendar import Calendar

_EVENTS_BETWEEN: Final = 4096


def train_from_events(
    events: Iterable[Event],
    out: Path,
    *,
    name: str,
    churn_types: ChurnTypes,
    horizon_ms: int,
    active_ms: int,
    until_ms: int | None,
    alerts_a_week: float | None,
    seed: int,
    calendar: Calendar,
    currency: str | None,
    report: Report,
) -> Manifest:
    """Train on ``events`` before ``until_ms`` (all of them for ``None``) and write the bundle ``out``.

    ``alerts_a_week``: how many the default bands should bring, ``None`` leaves it to the number of users.
    Days are those of ``calendar``; ``currency`` is the only one whose amounts are known, ``None`` takes all.
    ``report`` is called with a stage's name, how many units were just done, and how many the stage has, 0
    while unknown. Raises :class:`~schemas.errors.ConfigurationError` where the data do not suffice.
    """
    # These products are so small that a second thread costs more than it does.
    torch.set_num_threads(1)
    histories = collect(_counted(events, report), until_ms, calendar, currency)
    if not histories.users:
        raise ConfigurationError(
            "there are no events before --train-until: give files that reach back further"
        )
    end_ms = int(histories.times.max()) + 1 if until_ms is None else until_ms
    task = Task(end_ms, horizon_ms, active_ms, churn_types, alerts_a_week, seed)
    return train_bundle(histories, task, name, out, report)


def _counted(events: Iterable[Event], report: Report) -> Iterator[Event]:
    count = 0
    for count, event in enumerate(events, start=1):
        yield event
        if count % _EVENTS_BETWEEN == 0:
            report("events", _EVENTS_BETWEEN, 0)
    report("events", count % _EVENTS_BETWEEN, count)
