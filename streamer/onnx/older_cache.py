"""Keys and values for bundles from before the arena graphs: on the CPU, in fp32, written here by NumPy."""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import numpy.typing as npt

from schemas.bundle import Manifest
from streamer.core.transformer_inputs import TransformerInputs
from streamer.onnx.graphs import TransformerGraphs
from streamer.onnx.key_values import aligned
from streamer.onnx.padding import padded

BATCH: Final = 128
REBUILD_BATCH: Final = 64
LEAST_REBUILT: Final = 24


class OlderCache:
    """A :class:`~streamer.onnx.key_values.KeyValueCache` over graphs that read an arena and return rows."""

    def __init__(self, graphs: TransformerGraphs, manifest: Manifest, users: int) -> None:
        self._graphs = graphs
        self._window, self._tokens = manifest.window, manifest.exact_tokens
        self._scratch = users
        self._arena = np.zeros((users + 1, manifest.layers, 2, manifest.window, manifest.width), np.float32)
        self.batch = BATCH
        self.least_rebuilt = None if graphs.rebuild is None else LEAST_REBUILT

    def step(
        self, inputs: TransformerInputs, positions: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """See the protocol."""
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

    def rebuild(
        self,
        inputs: TransformerInputs,
        counts: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        slots: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float32]:
        """See the protocol."""
        assert self._graphs.rebuild is not None
        tokens = aligned(inputs, counts, self._tokens)
        hidden: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(counts), REBUILD_BATCH):
            part = slice(start, start + REBUILD_BATCH)
            feed = {
                "codes": padded(tokens.codes[part]),
                "numbers": padded(tokens.numbers[part]),
                "count": padded(counts[part]),
                "position": padded(positions[part]),
            }
            of_part, caches = cast(list[npt.NDArray[np.float32]], self._graphs.rebuild.run(None, feed))
            users = len(slots[part])
            self._arena[slots[part]] = caches[:users]
            hidden.append(of_part[:users])
        return np.concatenate(hidden)

    def bus_bytes(self, users: int) -> int:  # noqa: ARG002  (the CPU has no bus)
        """See the protocol."""
        return 0

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """See the protocol."""
        self._arena[slots] = 0.0
