"""The step graph alone, 64 users a run, over an arena as large as the worker's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from streamer.bench.floors.spec import FloorSpec, Spent, spending
from streamer.core.transformer_inputs import NUMBERS
from streamer.onnx.bundle import load_bundle

BATCH: Final = 64


def step(spec: FloorSpec) -> Spent:
    """Run ``spec.events`` steps of users chosen at random."""
    bundle = load_bundle(Path(spec.bundle))
    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    shape = (spec.arena_users + 1, manifest.layers, 2, manifest.window, manifest.width)
    arena = np.zeros(shape, np.float32)
    arena[:] = rng.standard_normal(shape[1:], np.float32)
    feeds = [
        {
            "codes": rng.integers(1, manifest.token_encoding.types, size=(BATCH, 3)),
            "numbers": rng.standard_normal((BATCH, len(NUMBERS)), np.float32),
            "position": rng.integers(manifest.window, 1_000, size=BATCH),
            "slot": rng.choice(spec.arena_users, size=BATCH, replace=spec.arena_users < BATCH),
            "arena": arena,
        }
        for _ in range(64)
    ]
    for feed in feeds:
        bundle.step.run(None, feed)
    with spending() as spent:
        while spent.events < spec.events:
            bundle.step.run(None, feeds[spent.events // BATCH % len(feeds)])
            spent.events += BATCH
    return spent
