"""The arena: the memory that holds the keys and values of cached users, where the graphs run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnxruntime import OrtValue

from schemas.bundle.manifest import ArenaPrecision, Manifest
from schemas.errors import ConfigurationError
from streamer.inference.device import Device

STORED: Final[Mapping[ArenaPrecision, type[np.floating]]] = {"fp32": np.float32, "fp16": np.float16}


def slot_bytes(manifest: Manifest, precision: ArenaPrecision) -> int:
    """What a cached user takes: 32 KiB in fp32 and 16 in fp16 by default."""
    numbers = manifest.layers * 2 * manifest.window * manifest.width
    return numbers * np.dtype(STORED[precision]).itemsize


class Arena:
    """Of each layer one tensor ``[slots * 2 * window, width]`` on ``device``, allocated once.

    The slot ``scratch`` belongs to nobody: rows that only fill a batch write there. On a GPU the memory is
    not zeroed; whoever gets a slot there fills it whole. Raises ``ConfigurationError`` where the GPU has not
    enough memory.
    """

    def __init__(self, manifest: Manifest, users: int, device: Device, precision: ArenaPrecision) -> None:
        self.scratch = users
        self._rows_of_slot = 2 * manifest.window
        shape = ((users + 1) * self._rows_of_slot, manifest.width)
        stored = STORED[precision]
        self._arrays: tuple[npt.NDArray[Any], ...] = ()
        if device == "cpu":
            # The tensors lie in these arrays' memory, of which the system gives a page once it is written to.
            self._arrays = tuple(np.zeros(shape, stored) for _ in range(manifest.layers))
            self.layers = tuple(OrtValue.ortvalue_from_numpy(array) for array in self._arrays)
            return
        try:
            self.layers = tuple(
                OrtValue.ortvalue_from_shape_and_type(shape, stored, device, 0)
                for _ in range(manifest.layers)
            )
        except Exception as error:  # onnxruntime raises classes of its own that share no other base
            raise ConfigurationError(
                f"arena_mb: the GPU has no room for the keys and values of {users:,} users ({error}): set "
                "less, or arena_precision to fp16"
            ) from error

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """Fill slots of an arena in main memory with zeros."""
        assert self._arrays, "on a GPU slots are filled whole by rebuilds"
        for array in self._arrays:
            array.reshape(-1, self._rows_of_slot, array.shape[1])[slots] = 0
