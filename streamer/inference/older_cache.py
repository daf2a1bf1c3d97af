"""Keys and values for bundles from before the arena graphs: on the CPU, in fp32, written here by NumPy."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import Manifest
from streamer.core.model.transformer_inputs import TransformerInputs
from streamer.inference.graphs.padding import padded
from streamer.inference.graphs.transformer_graphs import TransformerGraphs

BATCH: Final = 128


class OlderCache:
    """A :class:`~streamer.inference.key_values.cache.KeyValueCache` over graphs that read an arena and return
    rows."""

    def __init__(self, graphs: TransformerGraphs, manifest: Manifest, users: int) -> None:
        self._graphs = graphs
        self._window = manifest.window
        self._scratch = users
        self._arena = np.zeros((users + 1, manifest.layers, 2, manifest.window, manifest.width), np.float32)
        self.least_rebuilt = None

    def step(
        self, inputs: TransformerInputs, positions: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """See the protocol."""
        parts = [slice(start, start + BATCH) for start in range(0, len(slots), BATCH)]
        hidden = [
            self._step(
                TransformerInputs(inputs.codes[part], inputs.numbers[part]), positions[part], slots[part]
            )
            for part in parts
        ]
        return np.concatenate(hidden)

    def _step(
        self, inputs: TransformerInputs, positions: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        padded_slots = padded(slots)
        padded_slots[len(slots) :] = self._scratch
        feed = {
            "codes": padded(inputs.codes),
            "numbers": padded(inputs.numbers),
            "position": padded(positions),
            "slot": padded_slots,
            "arena": self._arena,
        }
        hidden, rows = cast(list[npt.NDArray[np.float32]], self._graphs.step.run(None, feed))
        self._arena[slots, :, :, positions % self._window] = rows[: len(slots)]
        return hidden[: len(slots)]

    def rebuild(self, *_: Any, **__: Any) -> npt.NDArray[np.float32]:
        """Never asked for, as ``least_rebuilt`` says."""
        raise AssertionError("an older bundle has no graph that rebuilds")

    def bus_bytes(self, users: int) -> int:  # noqa: ARG002  (the CPU has no bus)
        """See the protocol."""
        return 0

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """See the protocol."""
        self._arena[slots] = 0.0
