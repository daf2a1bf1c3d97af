"""A small shop and a small network, so that whole trainings take seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.data.histories import Histories, collect
from models.loop.checkpoints import Checkpoints
from models.loop.epochs import Run
from models.loop.progress import Interruption, Stage
from models.recipe import Recipe, Schedule, Size, Task
from models.train_bundle import Bundled, train_bundle
from schemas.bundle.bands import BandAmounts
from schemas.bundle.decline import ExpectedLoss
from schemas.bundle.manifest import MANIFEST_NAME, decode_manifest, encode_manifest
from schemas.event import Event, Item
from schemas.units import DAY_MS

START_MS = 1_483_228_800_000
DAYS = 120

SIZE = Size(
    width=8, layers=1, heads=2, window=4, category_buckets=6, item_buckets=4, head_width=8, quantiles=2
)
RECIPE = Recipe(
    cuts=8,
    least_held_out=5,
    patience=3,
    head=Schedule(3, 1e-2),
    language=Schedule(3, 1e-2),
    sequence=Schedule(3, 1e-2),
    both=Schedule(3, 1e-2),
    batch=128,
    batch_events=256,
)
TASK = Task(
    until_ms=START_MS + DAYS * DAY_MS,
    horizon_ms=10 * DAY_MS,
    active_ms=30 * DAY_MS,
    churn_types="any",
    size=SIZE,
    recipe=RECIPE,
)


def shop_events(users: int = 60, seed: int = 0) -> Iterator[Event]:
    """Views and purchases every few days, until a user leaves after any of them."""
    random = np.random.default_rng(seed)
    for user in range(users):
        day = float(random.uniform(0, 30))
        while day < DAYS:
            kind = "purchase" if random.random() < 0.4 else "view"
            item = Item(category=f"c{random.integers(4)}", price=round(float(random.lognormal(2, 1)), 2))
            when = START_MS + round(day * DAY_MS)
            value = item.price if kind == "purchase" else None
            yield Event(f"{user}-{when}", f"u{user}", kind, when, items=(item,), value=value)
            day += float(random.exponential(3)) if random.random() > 0.04 else 2.0 * DAYS


def shop() -> Histories:
    """Histories of :func:`shop_events`."""
    return collect(shop_events())


class Stopped(BaseException):
    """What a kill looks like from within: nothing of the training handles it."""


class Watch:
    """A report that keeps the plan and what was done, and acts on a stage after ``share`` of its units."""

    def __init__(self, stage: str = "", share: float = 0.5, interruption: Interruption | None = None) -> None:
        self.planned: dict[str, int] = {}
        self.units: dict[str, int] = {}
        self.over: list[str] = []
        self._stage = stage
        self._share = share
        self._interruption = interruption

    def plan(self, stages: Sequence[Stage]) -> None:
        """Remember the stages."""
        self.planned.update({stage.name: stage.units for stage in stages})

    def done(self, stage: str, units: int) -> None:
        """Count, and interrupt or kill."""
        self.units[stage] = self.units.get(stage, 0) + units
        if stage == self._stage and self.units[stage] > self._share * self.planned[stage]:
            if self._interruption is None:
                raise Stopped
            self._interruption.requested = True

    def finished(self, stage: str) -> None:
        """Remember that it is over."""
        self.over.append(stage)


def train(
    out: Path, watch: Watch, *, resume: bool = False, interruption: Interruption | None = None
) -> Bundled:
    """A bundle of the small shop, with checkpoints beside it."""
    checkpoints = Checkpoints(out.with_name(f"{out.name}.training"), {"task": repr(TASK)})
    checkpoints.begin(resume=resume)
    run = Run(watch, interruption or Interruption(), checkpoints)
    return train_bundle(shop(), TASK, "tiny", out, run)


def contents(bundle: Path) -> dict[str, bytes]:
    """Every file of ``bundle``."""
    return {file.name: file.read_bytes() for file in sorted(bundle.iterdir())}


def train_decline(out: Path, until_day: float) -> None:
    """A bundle at ``out`` whose alerts go by the money lost within twenty days, trained to ``until_day``."""
    task = dataclasses.replace(
        TASK,
        until_ms=START_MS + round(until_day * DAY_MS),
        definition="decline",
        window_ms=20 * DAY_MS,
    )
    train_bundle(shop(), task, "tiny", out, Run())
    file = out / MANIFEST_NAME
    manifest = msgspec.structs.replace(
        decode_manifest(file.read_bytes(), str(file)),
        expected_loss=ExpectedLoss(method="decline", scale=1.0, edges=BandAmounts(5.0, 20.0, 60.0)),
    )
    file.write_bytes(encode_manifest(manifest))
