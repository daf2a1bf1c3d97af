"""The step graph alone, 64 users a run, over an arena as large as the worker's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamer.bench.floors.spec import FloorSpec, Spent, spending
from streamer.bench.input.step_graph import Steps
from streamer.inference.bundle import load_bundle

BATCH: Final = 64
_WARM_UP: Final = 64


def step(spec: FloorSpec) -> Spent:
    """Run ``spec.events`` steps of users chosen at random."""
    steps = Steps(load_bundle(Path(spec.bundle)), BATCH, max(spec.arena_users, BATCH))
    for _ in range(_WARM_UP):
        steps.run()
    with spending() as spent:
        while spent.events < spec.events:
            steps.run()
            spent.events += BATCH
    return spent
