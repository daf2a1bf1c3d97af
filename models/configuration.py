"""What is trained, and how: every number that shapes a bundle stands here or on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from streamer.core.aggregates import DAY_MS

ChurnTypes = Literal["purchase", "any"]

_BIN_DAYS: Final = (0.5, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 17, 20, 22.5, 25, 28, 35, 42, 56)

BIN_EDGES: Final = tuple(day / 28 for day in _BIN_DAYS)
"""Upper edges of the hazard bins as parts of the horizon; a last bin without an end follows."""

BINS_WITHIN_HORIZON: Final = BIN_EDGES.index(1.0) + 1
"""16, which fill a vector register: a sum over a row of them never depends on where the row lies."""


@dataclass(frozen=True)
class Size:
    """The network's shape. A window of W events over L layers needs L·(W-1)+1 tokens for a rebuild."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    window: int = 32
    category_buckets: int = 512
    item_buckets: int = 1024
    head_width: int = 64
    quantiles: int = 8

    @property
    def rebuild_tokens(self) -> int:
        """Newest tokens of a user that determine the hidden vector exactly."""
        return self.layers * (self.window - 1) + 1


@dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Moments, in days: a cut ``cut_every`` so often, back to ``cut_back`` before the end, with the users
    silent for at most ``longest_silence``; and the share ``event_moments`` of the events since then.
    """

    cut_every: float = 5.0
    cut_back: float = 150.0
    longest_silence: float = 110.0
    event_moments: float = 0.5
    head_epochs: int = 8
    head_rate: float = 2e-3
    sequence_epochs: int = 3
    sequence_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    batch: int = 1024
    users_per_batch: int = 64
    next_event_weight: float = 0.3


@dataclass(frozen=True)
class Task:
    """What is predicted: no event of ``churn_types`` within ``horizon_ms``.

    ``until_ms``: nothing from this moment on is known. ``active_ms``: validation and calibration ask
    about users with an event this recently. ``alerts_a_week``: how many the watch band should bring, by
    default a share of the active users.
    """

    until_ms: int
    horizon_ms: int = 28 * DAY_MS
    active_ms: int = 60 * DAY_MS
    churn_types: ChurnTypes = "purchase"
    alerts_a_week: float | None = None
    seed: int = 1
    size: Size = field(default_factory=Size)
    recipe: Recipe = field(default_factory=Recipe)
