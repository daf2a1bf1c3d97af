"""What encoding asks of a cache of keys and values: users in slots, moved on by one event or rebuilt."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from streamer.core.model.transformer_inputs import TransformerInputs


class KeyValueCache(Protocol):
    """Keys and values of users in slots, and the graphs that read and write them in place."""

    @property
    def least_rebuilt(self) -> int | None:
        """Tokens from which a user who has no slot yet is to be rebuilt, not stepped; ``None`` for never."""
        ...

    def step(
        self, inputs: TransformerInputs, positions: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]`` after one event of each user.

        ``positions`` ``[users]``: events before it. ``slots`` ``[users]``, no two alike.
        """
        ...

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
        ...

    def bus_bytes(self, users: int) -> int:
        """Bytes that one run for ``users`` moves to a GPU and back; 0 on the CPU."""
        ...

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """Fill slots with zeros: stepping from there is what a rebuild gives."""
        ...


def aligned(inputs: TransformerInputs, counts: npt.NDArray[np.int64], length: int) -> TransformerInputs:
    """Codes ``[users, length, 3]`` and numbers ``[users, length, n]``, each user's newest token last."""
    users = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    at = np.arange(len(users)) + (length - ends)[users]
    codes = np.zeros((len(counts), length, inputs.codes.shape[1]), np.int64)
    numbers = np.zeros((len(counts), length, inputs.numbers.shape[1]), np.float32)
    codes[users, at], numbers[users, at] = inputs.codes, inputs.numbers
    return TransformerInputs(codes, numbers)
