"""The step graph alone: the floor under what an event costs."""

from __future__ import annotations

import time
from itertools import cycle
from typing import NamedTuple

import numpy as np

from streamer.core.model.transformer_inputs import NUMBERS, TransformerInputs
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.inference.key_values.arena_cache import ArenaCache

_GIVEN = 64


class Steps:
    """Steps of ``batch`` users at a time, drawn from ``users``, at positions of a full ring.

    ``bus_bytes``: what one of them moves to a GPU and back; 0 on the CPU.
    """

    def __init__(self, bundle: Bundle, batch: int, users: int) -> None:
        manifest = bundle.manifest
        self._cache = ArenaCache(bundle.transformer, bundle.manifest, users)
        if bundle.transformer.device == "cpu":
            # What was never written lies in one page that the system shares, and would be read too fast.
            self._cache.clear(np.arange(users))
        random = np.random.default_rng(0)
        encoding = manifest.token_encoding
        sizes = (encoding.types, encoding.category_buckets, encoding.item_buckets)
        given = [
            (
                TransformerInputs(
                    np.stack([random.integers(0, size, batch) for size in sizes], axis=1),
                    random.standard_normal((batch, len(NUMBERS)), np.float32),
                ),
                random.integers(manifest.window, 1000, batch),
                random.permutation(users)[:batch],
            )
            for _ in range(_GIVEN)
        ]
        self._given = cycle(given)
        self.bus_bytes = self._cache.bus_bytes(batch)

    def run(self) -> None:
        """One step of the next users, with all that a worker hands over and takes."""
        self._cache.step(*next(self._given))


class StepSpeed(NamedTuple):
    """``per_wall_s``, ``per_cpu_s``: events a second of wall and of processor time, the median of all rounds.

    ``bus_bytes``: what an event moves to a GPU and back.
    """

    device: str
    precision: str
    batch: int
    users: int
    per_wall_s: float
    per_cpu_s: float
    bus_bytes: float


def step_speed(bundle: Bundle, batch: int, users: int, rounds: int = 9, seconds: float = 0.2) -> StepSpeed:
    """How fast ``bundle`` steps ``batch`` of ``users`` at once; each of ``rounds`` takes ``seconds``."""
    steps = Steps(bundle, batch, users)
    runs, walls, cpus = 1, list[float](), list[float]()
    for _ in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(runs):
            steps.run()
        walls.append((time.perf_counter() - wall) / (runs * batch))
        cpus.append((time.process_time() - cpu) / (runs * batch))
        runs = max(1, round(seconds / (walls[-1] * batch)))
    # The first round only finds out how many runs fill the others.
    wall_s, cpu_s = float(np.median(walls[1:])), float(np.median(cpus[1:]))
    graphs = bundle.transformer
    moved = steps.bus_bytes / batch
    return StepSpeed(graphs.device, graphs.precision, batch, users, 1 / wall_s, 1 / cpu_s, moved)
