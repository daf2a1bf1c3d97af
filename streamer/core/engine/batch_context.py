"""What is the same for all users of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamer.core.alerts.policy import Policy
from streamer.core.history.calendar import Calendar


class BatchContext(NamedTuple):
    """``horizons_ms[i]``: deadlines up to this moment are due once record i has moved the clock. One more
    entry stands for the end of the batch, where wall time may have moved the clock further.
    ``any_event_returns``: churn is the absence of any event, not of purchases. ``foretells_decline``: so does
    the model, whose risk is that of a decline. ``current_ms``: what
    falls before it is found by a partition that lags behind wall time, so raises and escalations wait.
    ``stamp`` names policy and model: what was decided under another one is looked at again. The days of
    the budget are those of ``calendar``; it is shared out among ``partitions``.
    """

    partition: int
    partitions: int
    horizons_ms: Sequence[int]
    policy: Policy
    silence_grid_ms: tuple[int, ...]
    ring_tokens: int
    any_event_returns: bool
    foretells_decline: bool
    current_ms: int
    stamp: bytes
    calendar: Calendar
