"""Rows of arrays as the bytes that users' states hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamer.core.history.aggregates import AGGREGATES, AGGREGATES_BYTES, Aggregates


def stacked(packed: Sequence[bytes]) -> Aggregates:
    """Packed aggregates as an array ``[users, columns]`` that nobody may write to."""
    assert all(len(row) == AGGREGATES_BYTES for row in packed[:1])
    return np.frombuffer(b"".join(packed)).reshape(-1, len(AGGREGATES))


def packed_rows(array: npt.NDArray[np.float64] | npt.NDArray[np.float32]) -> list[bytes]:
    """Each row's bytes.

    >>> [len(row) for row in packed_rows(np.zeros((2, 3)))]
    [24, 24]
    """
    packed, width = array.tobytes(), array.shape[1] * array.itemsize
    return [packed[at : at + width] for at in range(0, len(packed), width)]
