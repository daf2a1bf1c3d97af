"""The newest published score of every user, as arrays that can be asked for any moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.alert import BANDS
from schemas.bundle.bands import BandEdges
from schemas.score import Score
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.demo.judgement.evaluation import Snapshot

Floats = npt.NDArray[np.float64]


class BandCounts(NamedTuple):
    """How many active users stand below every band and in each of them."""

    calm: int
    watch: int
    high: int
    critical: int


class Population:
    """Users by their newest score. ``grid_s`` are the silences of every risk curve, ascending."""

    def __init__(self, grid_s: Sequence[int], edges: BandEdges, capacity: int = 1024) -> None:
        self._grid_ms = np.array(grid_s, dtype=np.float64) * 1000.0
        self._edges = np.array([edges.watch, edges.high, edges.critical])
        self._rows: dict[str, int] = {}
        self._last_ms = np.zeros(capacity, dtype=np.int64)
        self._partition = np.zeros(capacity, dtype=np.int64)
        self._risk_at_event = np.full(capacity, np.nan)
        self._curves = np.full((capacity, len(grid_s)), np.nan)
        self._clocks_ms: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def clock_ms(self) -> int | None:
        """The moment that the furthest partition has reached; ``None`` before the first score."""
        return max(self._clocks_ms.values(), default=None)

    def take(self, score: Score) -> None:
        """Take a user's newest score in."""
        row = self._rows.setdefault(score.user_id, len(self._rows))
        if row == len(self._last_ms):
            self._grow()
        last_ms, scored_ms = parse_timestamp(score.last_event_at), parse_timestamp(score.scored_at)
        if scored_ms <= last_ms:
            self._risk_at_event[row] = score.risk
        elif self._last_ms[row] != last_ms:
            self._risk_at_event[row] = np.nan
        self._last_ms[row] = last_ms
        self._curves[row] = [point.probability for point in score.risk_curve] or np.nan
        partition = score.evidence.partition
        self._partition[row] = partition
        self._clocks_ms[partition] = max(self._clocks_ms.get(partition, scored_ms), scored_ms)

    def forget(self, user_id: str) -> None:
        """A user was erased: no longer counted."""
        if (row := self._rows.get(user_id)) is not None:
            self._last_ms[row] = 0
            self._risk_at_event[row] = np.nan
            self._curves[row] = np.nan

    def band_counts(self, active_days: float) -> BandCounts:
        """Users seen in the last ``active_days``, by band, each at the clock of its own partition."""
        count = len(self._rows)
        moments = np.zeros(max(self._clocks_ms, default=0) + 1)
        for partition, clock_ms in self._clocks_ms.items():
            moments[partition] = clock_ms
        at = moments[self._partition[:count]]
        active = self._last_ms[:count] >= at - active_days * DAY_MS
        levels = np.searchsorted(self._edges, self.risks(at)[active], side="right")
        return BandCounts(*np.bincount(levels, minlength=len(BANDS) + 1).tolist())

    def snapshot(self, at_ms: int) -> Snapshot:
        """Everybody at ``at_ms``, epoch milliseconds."""
        count = len(self._rows)
        return Snapshot(
            at_ms,
            list(self._rows),
            self.risks(np.full(count, float(at_ms))),
            self._last_ms[:count].copy(),
        )

    def risks(self, at_ms: Floats) -> Floats:
        """Risk ``[users]`` of each user at ``at_ms`` ``[users]``, read off the newest published score.

        Between the steps of the curve the risk is linear in the logarithm of the silence, before the first
        step linear from the risk at the event, after the last constant. A score without a curve holds.
        """
        count = len(self._rows)
        grid, curves, start = self._grid_ms, self._curves[:count], self._risk_at_event[:count]
        silence = np.clip(at_ms - self._last_ms[:count], 0.0, grid[-1])
        step = np.clip(np.searchsorted(grid, silence, side="right"), 1, len(grid) - 1)
        rows = np.arange(count)
        below, above = grid[step - 1], grid[step]
        # A silence of 0 has no logarithm; below the first step the other branch is taken.
        share = np.log(np.maximum(silence, below) / below) / np.log(above / below)
        on_curve = curves[rows, step - 1] + share * (curves[rows, step] - curves[rows, step - 1])
        first = curves[:, 0]
        from_event = np.where(np.isnan(start), first, start + (first - start) * (silence / grid[0]))
        risk = np.where(silence < grid[0], from_event, on_curve)
        return np.where(np.isnan(first), np.nan_to_num(start), risk)

    def _grow(self) -> None:
        self._last_ms = np.concatenate([self._last_ms, np.zeros_like(self._last_ms)])
        self._partition = np.concatenate([self._partition, np.zeros_like(self._partition)])
        self._risk_at_event = np.concatenate([self._risk_at_event, np.full_like(self._risk_at_event, np.nan)])
        self._curves = np.concatenate([self._curves, np.full_like(self._curves, np.nan)])
