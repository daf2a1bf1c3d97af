"""Moments at which something is asked about users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories


class Moments(NamedTuple):
    """``event``: index of the user's last event by then; ``time_ms``: the moment. Both ``[moments]``."""

    event: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.float64]


def cut_moments(histories: Histories, times_ms: npt.NDArray[np.int64], longest_silence_ms: float) -> Moments:
    """Every user at each time who has an event before it and has not been silent for longer."""
    events: list[npt.NDArray[np.int64]] = []
    moments: list[npt.NDArray[np.float64]] = []
    silent_since = histories.silent_since()
    for time in times_ms:
        counts = np.add.reduceat(histories.times < time, histories.starts[:-1], dtype=np.int64)
        last = (histories.starts[:-1] + counts - 1)[counts > 0]
        last = last[time - silent_since[last] <= longest_silence_ms]
        events.append(last)
        moments.append(np.full(len(last), float(time)))
    return Moments(np.concatenate(events), np.concatenate(moments))
