"""Batches padded so that no row meets a kernel's remainder, which may round otherwise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

LANES: Final = 16
"""float32 numbers in the widest vector register: batches are padded to multiples of it."""


def padded(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``rows`` with rows of zeros behind them, up to a multiple of :data:`LANES`."""
    whole = np.zeros((-(-len(rows) // LANES) * LANES, *rows.shape[1:]), rows.dtype)
    whole[: len(rows)] = rows
    return whole
