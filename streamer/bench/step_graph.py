"""The step graph alone: the floor under what an event costs."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from schemas.errors import BundleError
from streamer.core.transformer_inputs import NUMBERS, TransformerInputs
from streamer.onnx.arena_cache import ArenaCache
from streamer.onnx.graphs import Bundle

_ROUNDS_OF_INPUTS = 8


class StepSpeed(NamedTuple):
    """``per_wall_s``, ``per_cpu_s``: events a second of wall and of processor time, the median of all rounds.

    ``bus_bytes``: what an event moves to the device and back; 0 on the CPU.
    """

    device: str
    precision: str
    batch: int
    users: int
    per_wall_s: float
    per_cpu_s: float
    bus_bytes: float


def step_speed(bundle: Bundle, batch: int, users: int, rounds: int = 9, seconds: float = 0.2) -> StepSpeed:
    """How fast ``bundle`` steps ``batch`` users at once, drawn from ``users``, at positions of a full ring.

    Each of ``rounds`` lasts about ``seconds``; all that a worker hands over and takes is in them. Raises
    ``BundleError`` for a bundle without graphs of an arena.
    """
    graphs = bundle.transformer
    if not graphs.in_place:
        raise BundleError(f"{bundle.path} has no graphs of an arena: train the bundle again.")
    cache = ArenaCache(graphs, bundle.manifest, users)
    if graphs.device == "cpu":
        # What was never written lies in one page that the system shares, and would be read too fast.
        cache.clear(np.arange(users))
    random = np.random.default_rng(0)
    encoding = bundle.manifest.token_encoding
    sizes = (encoding.types, encoding.category_buckets, encoding.item_buckets)
    given = [
        (
            TransformerInputs(
                np.stack([random.integers(0, size, batch) for size in sizes], axis=1),
                random.standard_normal((batch, len(NUMBERS)), np.float32),
            ),
            random.integers(bundle.manifest.window, 1000, batch),
            random.permutation(users)[:batch],
        )
        for _ in range(_ROUNDS_OF_INPUTS)
    ]
    runs, walls, cpus = 1, list[float](), list[float]()
    for _ in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        for run in range(runs):
            cache.step(*given[run % len(given)])
        walls.append((time.perf_counter() - wall) / (runs * batch))
        cpus.append((time.process_time() - cpu) / (runs * batch))
        runs = max(1, round(seconds / (walls[-1] * batch)))
    moved = 0.0 if graphs.device == "cpu" else cache.bus_bytes(batch) / batch
    # The first round only finds out how many runs fill the others.
    wall_s, cpu_s = float(np.median(walls[1:])), float(np.median(cpus[1:]))
    return StepSpeed(graphs.device, graphs.precision, batch, users, 1 / wall_s, 1 / cpu_s, moved)
