"""Cuts: every user at risk at one moment, what is known of them by then, and what they did afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.examples import label
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.recipe import Task
from schemas.errors import ConfigurationError
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS


class Cut(NamedTuple):
    """The users at risk at ``at_ms``: those with an event in the active days before it.

    ``event`` ``[users]``: the last event of each before the cut, an index into ``histories``, which go on
    after it. ``features`` ``[users, len(FEATURES)]`` are as of the cut. ``churned`` ``[users]``: 1 where no
    event of the churn kind lies in [``at_ms``, ``at_ms`` + horizon).
    """

    at_ms: int
    histories: Histories
    event: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    churned: npt.NDArray[np.float32]

    @property
    def user(self) -> npt.NDArray[np.int64]:
        """Whose each row is, ``[users]``: an index into the histories."""
        return self.histories.user_of(self.event)


def cuts_at(histories: Histories, at_ms: Sequence[int], task: Task) -> list[Cut]:
    """A cut at each of ``at_ms``, in order of time.

    Raises :class:`~schemas.errors.ConfigurationError`, which names ``--at``, for a cut that cannot be judged.
    """
    if len(set(at_ms)) < len(at_ms):
        twice = next(at for at in at_ms if list(at_ms).count(at) > 1)
        raise ConfigurationError(f"--at names {format_timestamp(twice)} twice: give each cut once")
    for at in at_ms:
        _check_within(histories, at, task.horizon_ms)
    times = np.array(sorted(at_ms))
    moments = cut_moments(histories, times, task.active_ms)
    for at in times.tolist():
        _check_at_risk(at, int((moments.time_ms == at).sum()), task)
    end_ms = int(histories.times.max()) + 1
    examples = label(histories, moments, task.horizon_ms, task.churn_types, end_ms)
    cuts: list[Cut] = []
    for at in times.tolist():
        here = moments.time_ms == at
        cut = Cut(at, histories, moments.event[here], examples.features[here], examples.churned[here])
        _check_outcomes(cut)
        cuts.append(cut)
    return cuts


def _check_within(histories: Histories, at_ms: int, horizon_ms: int) -> None:
    """Refuse a cut before or behind the events, or with less than a horizon of them after it."""
    first_ms, last_ms = int(histories.times.min()), int(histories.times.max())
    span = f"the events run from {format_timestamp(first_ms)} to {format_timestamp(last_ms)}"
    if not first_ms < at_ms <= last_ms:
        raise ConfigurationError(f"--at {format_timestamp(at_ms)} is outside the files: {span}")
    if at_ms + horizon_ms > last_ms + 1:
        latest = last_ms + 1 - horizon_ms
        way_out = (
            f"give an --at of {format_timestamp(latest)} at the latest, or newer events"
            if latest > first_ms
            else "give newer events"
        )
        raise ConfigurationError(
            f"--at {format_timestamp(at_ms)}: the {horizon_ms / DAY_MS:g} days of the horizon after it are "
            f"not in the files: {span}; {way_out}"
        )


def _check_at_risk(at_ms: int, users: int, task: Task) -> None:
    if not users:
        raise ConfigurationError(
            f"--at {format_timestamp(at_ms)}: nobody is at risk, as no event lies in the "
            f"{task.active_ms / DAY_MS:g} days before it: choose another --at, or a longer --active"
        )


def _check_outcomes(cut: Cut) -> None:
    """Refuse a cut on which no ranking can be right or wrong."""
    churned = int(cut.churned.sum())
    if churned in (0, len(cut.churned)):
        raise ConfigurationError(
            f"--at {format_timestamp(cut.at_ms)}: {'nobody' if churned == 0 else 'everybody'} of "
            f"{len(cut.churned):,} users churned, and nothing can be judged: choose another --at, or files "
            "with more users"
        )
