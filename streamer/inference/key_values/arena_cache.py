"""Keys and values in an arena that graphs read and write in place; only inputs and results move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import Manifest
from schemas.errors import ConfigurationError
from streamer.core.model.transformer_inputs import TransformerInputs
from streamer.inference.device import Device
from streamer.inference.graphs.arena import Arena
from streamer.inference.graphs.bound_graph import BoundGraph
from streamer.inference.graphs.padding import LANES
from streamer.inference.graphs.transformer_graphs import TransformerGraphs

STEP_BUCKETS: Final[Mapping[Device, tuple[int, ...]]] = {
    "cpu": tuple(range(LANES, 129, LANES)),
    "cuda": (8, 32, 128, 512, 2048, 8192),
}
"""Users a run, padded to the next of these. On the CPU what is gathered for them fits a core's cache."""

REBUILD_BUCKETS: Final[Mapping[Device, tuple[int, ...]]] = {
    "cpu": tuple(range(LANES, 65, LANES)),
    "cuda": (8, 64, 512),
}

LEAST_REBUILT: Final[Mapping[Device, int]] = {"cpu": 24, "cuda": 1}
"""From there one run over all that a rebuild takes, most of it padding, is faster than a few steps.

On a GPU every slot is filled by a rebuild: its memory is not zeroed, and a run costs more than its work.
"""


class ArenaCache:
    """Keys and values of ``users`` in slots, and the graphs that read and write them in place.

    ``least_rebuilt``: tokens from which a user who has no slot yet is to be rebuilt, not stepped; ``None``
    for never.
    """

    def __init__(self, graphs: TransformerGraphs, manifest: Manifest, users: int) -> None:
        device = graphs.device
        self._tokens = manifest.exact_tokens
        self._arena = Arena(manifest, users, device, graphs.precision)
        self._step = BoundGraph(graphs.step, self._arena, device, STEP_BUCKETS[device])
        self._rebuild = graphs.rebuild and BoundGraph(
            graphs.rebuild, self._arena, device, REBUILD_BUCKETS[device]
        )
        self._on_gpu = device == "cuda"
        if self._on_gpu:
            self._take_memory()
        self.least_rebuilt = None if graphs.rebuild is None else LEAST_REBUILT[device]

    def step(
        self, inputs: TransformerInputs, positions: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]`` after one event of each user.

        ``positions`` ``[users]``: events before it. ``slots`` ``[users]``, no two alike.
        """
        return self._step.run(
            {"codes": inputs.codes, "numbers": inputs.numbers, "position": positions}, slots
        )

    def bus_bytes(self, users: int) -> int:
        """Bytes that one run for ``users`` moves to a GPU and back; 0 on the CPU."""
        return self._step.bus_bytes(users) if self._on_gpu else 0

    def rebuild(
        self,
        inputs: TransformerInputs,
        counts: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        slots: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]`` after each user's last tokens, whose slots are filled anew.

        ``inputs``: the users' tokens one user after the other, ``counts`` ``[users]`` of each. ``positions``
        ``[users]``: events before each user's newest.
        """
        assert self._rebuild is not None
        tokens = aligned(inputs, counts, self._tokens)
        feed = {"codes": tokens.codes, "numbers": tokens.numbers, "count": counts, "position": positions}
        return self._rebuild.run(feed, slots)

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """Fill slots with zeros: stepping from there is what a rebuild gives."""
        self._arena.clear(slots)

    def _take_memory(self) -> None:
        """Let a GPU that has no room for the largest batches say so now."""
        try:
            for graph in (self._step, self._rebuild):
                if graph is not None:
                    graph.run_largest()
        except Exception as error:  # onnxruntime raises classes of its own that share no other base
            raise ConfigurationError(
                f"arena_mb: beside the arena the GPU has no room for batches ({error}): set less"
            ) from error


def aligned(inputs: TransformerInputs, counts: npt.NDArray[np.int64], length: int) -> TransformerInputs:
    """Codes ``[users, length, 3]`` and numbers ``[users, length, n]``, each user's newest token last."""
    users = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    at = np.arange(len(users)) + (length - ends)[users]
    codes = np.zeros((len(counts), length, inputs.codes.shape[1]), np.int64)
    numbers = np.zeros((len(counts), length, inputs.numbers.shape[1]), np.float32)
    codes[users, at], numbers[users, at] = inputs.codes, inputs.numbers
    return TransformerInputs(codes, numbers)
