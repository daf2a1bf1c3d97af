"""The way in from outside: events and options in, a bundle out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import torch

from models.data.histories import Histories, collect
from models.folds import Fold, cross_validate
from models.heads.categories import CategoryNames
from models.loop.checkpoints import Checkpoints
from models.loop.epochs import Run
from models.loop.progress import Interruption, Report
from models.plan import EVENTS
from models.recipe import PROFILES, Recipe, Task
from models.train_bundle import train_bundle
from schemas.bundle.manifest import ChurnTypes, Definition, Manifest
from schemas.errors import ConfigurationError
from schemas.event import Event
from streamer.core.history.calendar import Calendar

RECIPE: Final = Recipe()

_EVENTS_BETWEEN: Final = 4096


class Trained(NamedTuple):
    """The manifest of the bundle that was written, and the folds of cross validation that were done."""

    manifest: Manifest
    folds: list[Fold]


def train_from_events(
    events: Iterable[Event],
    out: Path,
    *,
    name: str,
    churn_types: ChurnTypes,
    horizon_ms: int,
    active_ms: int,
    definition: Definition,
    window_ms: int,
    until_ms: int | None,
    alerts_a_week: float | None,
    profile: str,
    seed: int,
    seeds: int,
    folds: int,
    resume: bool,
    calendar: Calendar,
    currency: str | None,
    report: Report,
    interruption: Interruption,
) -> Trained:
    """Train on ``events`` before ``until_ms`` (all of them for ``None``) and write the bundle ``out``.

    ``alerts_a_week``: how many the default bands should bring, ``None`` leaves it to the number of users.
    ``profile``: of :data:`~models.recipe.PROFILES`. ``seeds``: fits that compare the variants.
    ``folds`` of cross validation, 0 for none. ``resume``: go on from the checkpoints beside ``out``. Days are
    those of ``calendar``; ``currency`` is the only one whose amounts are known, ``None`` takes all. An
    ``interruption`` ends training early with a bundle, and leaves the checkpoints.

    Raises :class:`~schemas.errors.ConfigurationError` where the data do not suffice, or the checkpoints are
    those of another training.
    """
    # These products are so small that a second thread costs more than it does.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    names = CategoryNames()
    histories = collect(names.watch(_counted(events, report)), until_ms, calendar, currency)
    report.finished(EVENTS)
    if not histories.users:
        raise ConfigurationError(
            "the files hold no event: give files of events"
            if until_ms is None
            else "there are no events before --train-until: give files that reach back further"
        )
    task = Task(
        until_ms=int(histories.times.max()) + 1 if until_ms is None else until_ms,
        horizon_ms=horizon_ms,
        active_ms=active_ms,
        definition=definition,
        window_ms=window_ms,
        churn_types=churn_types,
        alerts_a_week=alerts_a_week,
        seed=seed,
        seeds=seeds,
        size=PROFILES[profile],
        recipe=RECIPE,
    )
    checkpoints = Checkpoints(out.with_name(f"{out.name}.training"), _decisive(histories, task))
    checkpoints.begin(resume=resume)
    run = Run(report, interruption, checkpoints)
    made = train_bundle(histories, task, name, out, run, folds, names.text)
    done: list[Fold] = []
    if folds and not interruption.requested:
        done = cross_validate(histories, made.columns, task, made.validated, folds, run)
    if not interruption.requested:
        checkpoints.remove()
    return Trained(made.manifest, done)


def _decisive(histories: Histories, task: Task) -> dict[str, str]:
    """All that a checkpoint depends on, by the name that a message gives it."""
    return {
        "events": histories.fingerprint,
        "time zone": histories.calendar.name,
        "--train-until": str(task.until_ms),
        "--churn-types": task.churn_types,
        "--horizon": str(task.horizon_ms),
        "--active": str(task.active_ms),
        "--definition": task.definition,
        "--window": str(task.window_ms),
        "--seed": str(task.seed),
        "--profile": repr(dataclasses.astuple(task.size)),
        "recipe": repr(task.recipe),
        "version of torch": str(torch.__version__),
    }


def _counted(events: Iterable[Event], report: Report) -> Iterator[Event]:
    count = 0
    for count, event in enumerate(events, start=1):
        yield event
        if count % _EVENTS_BETWEEN == 0:
            report.done(EVENTS, _EVENTS_BETWEEN)
    report.done(EVENTS, count % _EVENTS_BETWEEN)
