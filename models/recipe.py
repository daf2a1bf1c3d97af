"""What is trained, and how: every number that shapes a bundle stands here or on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from schemas.bundle.manifest import ChurnTypes, Definition, VariantName
from schemas.units import DAY_MS

Variant = VariantName

VARIANTS: Final[tuple[Variant, ...]] = ("aggregates", "sequence", "both")
"""What the query head is given, the simplest first."""

_BIN_DAYS: Final = (0.5, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 17, 20, 22.5, 25, 28, 35, 42, 56)

BIN_EDGES: Final = tuple(day / 28 for day in _BIN_DAYS)
"""Upper edges of the hazard bins as parts of the horizon; a last bin without an end follows."""

BINS_WITHIN_HORIZON: Final = BIN_EDGES.index(1.0) + 1
"""16, which fill a vector register: a sum over a row of them never depends on where the row lies."""

_GRID_STEPS: Final = 13
_LONGEST_SILENCE_DAYS: Final = 100.0

SILENCE_GRID_S: Final = tuple(
    3600 * round(24 * _LONGEST_SILENCE_DAYS ** (step / (_GRID_STEPS - 1))) for step in range(_GRID_STEPS)
)
"""Silences at which a risk curve is asked, in seconds: log-spaced from a day to a hundred, in full hours."""


@dataclass(frozen=True)
class Size:
    """The network's shape. A window of W events over L layers needs L·(W-1)+1 tokens for a rebuild.

    ``quantiles``: pieces of each feature that a head sees. ``decline_quantiles``: of the query head where it
    also foretells decline; one, so features enter as they are. Its windows overlap and outcomes are far
    fewer than examples, which finer pieces would learn by heart.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    window: int = 32
    category_buckets: int = 512
    item_buckets: int = 1024
    head_width: int = 64
    quantiles: int = 8
    decline_quantiles: int = 1

    @property
    def rebuild_tokens(self) -> int:
        """Newest tokens of a user that determine the hidden vector exactly."""
        return self.layers * (self.window - 1) + 1


PROFILES: Final = {
    "small": Size(width=32, heads=2, window=16, category_buckets=256, item_buckets=256, head_width=32),
    "base": Size(),
}
"""Sizes by the name that ``--profile`` takes."""


@dataclass(frozen=True)
class Schedule:
    """Of a stage: the highest learning rate, and over how many ``epochs`` it falls to zero."""

    epochs: int
    rate: float


@dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Moments: ``cuts``, evenly through the last ``cut_back`` days, of the users silent for at most
    ``longest_silence`` days; and the share ``event_moments`` of the events since then; of both together
    ``most_examples`` are drawn. The transformer sees ``most_events`` an epoch, in batches of
    ``batch_events``.

    A stage ends before its last epoch when ``patience`` epochs in a row were no better for the share
    ``held_out`` of the users. Fewer than ``least_held_out`` of them say too little to go by.

    ``sequence`` and ``both`` name the variants' stages; in the latter the weights that features go through
    have been trained before, and move on at ``trained_rate`` times the rate.
    """

    cuts: int = 30
    cut_back: float = 150.0
    longest_silence: float = 110.0
    event_moments: float = 0.5
    most_examples: int = 1_000_000
    most_events: int = 500_000
    held_out: float = 0.1
    least_held_out: int = 50
    patience: int = 2
    head: Schedule = Schedule(epochs=8, rate=2e-3)
    language: Schedule = Schedule(epochs=8, rate=2e-3)
    sequence: Schedule = Schedule(epochs=6, rate=1e-3)
    both: Schedule = Schedule(epochs=4, rate=1e-3)
    trained_rate: float = 0.1
    weight_decay: float = 0.05
    dropout: float = 0.2
    batch: int = 1024
    batch_events: int = 4096
    next_event_weight: float = 0.3


@dataclass(frozen=True)
class Task:
    """What is predicted: no event of ``churn_types`` within ``horizon_ms``.

    ``until_ms``: nothing from this moment on is known. ``active_ms``: validation and calibration ask
    about users with an event this recently. ``alerts_a_week``: how many the watch band should bring, by
    default a share of the active users. ``seeds``: how many validation fits compare the variants.

    ``definition``: of who is being lost. Under decline it is also foretold who will come on fewer than half
    of the usual days within ``window_ms``, and what is spent.
    """

    until_ms: int
    horizon_ms: int = 28 * DAY_MS
    active_ms: int = 60 * DAY_MS
    churn_types: ChurnTypes = "purchase"
    alerts_a_week: float | None = None
    seed: int = 1
    seeds: int = 1
    definition: Definition = "absence"
    window_ms: int = 56 * DAY_MS
    size: Size = field(default_factory=Size)
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def first_until_ms(self) -> int:
        """Where a first fit's knowledge ends: the outcomes after it judge it."""
        known_ms = 2 * self.horizon_ms
        return self.until_ms - (known_ms if self.definition == "absence" else max(known_ms, self.window_ms))
