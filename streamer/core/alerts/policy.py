"""The alert policy: when a customer's signal becomes an alert, and when an alert may go out.

The signal is what alerts go by: the risk, or the money that is expected to be lost.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.model.assessment import AlertBy

WEEK_MS: Final = 7 * DAY_MS


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All durations are milliseconds of event time.

    ``edges``: the signals at which watch, high and critical begin, probabilities or amounts as ``alert_by``
    has it. A band is left only ``hysteresis`` below its edge, of amounts a share of the edge. A higher band
    counts after ``raise_dwell_ms`` in it, a lower one after ``leave_dwell_ms``. Nobody is raised below
    ``least_loss`` nor before ``least_overdue`` usual gaps without a visit. ``horizon_ms`` is the bundle's
    horizon, or its window: an alert is for that long, and who has been silent for longer is gone.
    """

    edges: tuple[float, float, float]
    horizon_ms: int
    alert_by: AlertBy = "probability"
    least_overdue: Annotated[float, Meta(ge=0)] = 0.0
    least_loss: Annotated[float, Meta(ge=0)] = 0.0
    hysteresis: Annotated[float, Meta(ge=0)] = 0.05
    raise_dwell_ms: Annotated[int, Meta(ge=0)] = 0
    leave_dwell_ms: Annotated[int, Meta(ge=0)] = DAY_MS
    cooldown_ms: Annotated[int, Meta(ge=0)] = WEEK_MS
    weekly_cap: Annotated[int, Meta(ge=1)] = 1
    least_active_days: Annotated[int, Meta(ge=1)] = 2
    daily_budget: Annotated[int, Meta(ge=0)] | None = None
    holdout_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    holdout_salt: str = ""
    alerts_from_ms: int | None = None
    disorder_ms: Annotated[int, Meta(ge=0)] = 60_000
    expiry_ms: Annotated[int, Meta(ge=DAY_MS)] = 400 * DAY_MS

    def __post_init__(self) -> None:
        watch, high, critical = self.edges
        is_risk = self.alert_by == "probability"
        highest, within = (1.0, "within 0 and 1") if is_risk else (math.inf, "above 0")
        if not 0.0 < watch < high < critical < highest:
            raise ConfigurationError(f"edges: {self.edges} must ascend {within}, watch < high < critical")
        if self.leave_edges[0] <= 0.0 and self.alert_by == "loss":
            raise ConfigurationError(
                f"hysteresis: {self.hysteresis} must be below 1: of expected losses it is a share of the edge"
            )
        if self.leave_edges[0] <= 0.0:
            raise ConfigurationError(
                f"hysteresis: {self.hysteresis} must be below the edge of watch ({watch}), "
                "or the lowest band is never left"
            )

    def level(self, signal: float) -> int:
        """How many band edges ``signal`` has reached: 0 none, 1 watch, 2 high, 3 critical; NaN reaches none.

        >>> policy = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=28 * DAY_MS)
        >>> [policy.level(signal) for signal in (0.49, 0.5, 0.95)]
        [0, 1, 3]
        """
        return bisect_right(self.edges, signal) if signal >= self.least_signal else 0

    def level_from(self, level: int, signal: float) -> int:
        """Where ``signal`` belongs for who is in band ``level``: bands are left lower than they are entered.

        >>> policy = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=28 * DAY_MS, hysteresis=0.05)
        >>> policy.level_from(2, 0.66), policy.level_from(2, 0.64)
        (2, 1)
        """
        reached = self.level(signal)
        if reached >= level:
            return reached
        return min(level, sum(signal >= edge for edge in self.leave_edges))

    @property
    def least_signal(self) -> float:
        """Below which nobody is raised."""
        return max(self.edges[0], self.least_loss) if self.alert_by == "loss" else self.edges[0]

    @property
    def leave_edges(self) -> tuple[float, ...]:
        """The signals below which each band is left."""
        if self.alert_by == "loss":
            return tuple(edge * (1.0 - self.hysteresis) for edge in self.edges)
        return tuple(edge - self.hysteresis for edge in self.edges)

    def holds_out(self, user_id: str) -> bool:
        """Whether the user belongs to the share that gets no alerts: stable for one salt."""
        if self.holdout_share == 0.0:
            return False
        digest = sha256(f"{self.holdout_salt}\n{user_id}".encode()).digest()
        return int.from_bytes(digest[:8]) < self.holdout_share * 2**64

    def budget_of(self, partition: int, partitions: int, day: int) -> int:
        """This partition's part of the budget of a day; the parts add up to the whole.

        ``day``: its number. What cannot be shared out evenly goes round, so that a budget smaller than the
        number of partitions leaves none of them without for ever. Without a budget it is 0.
        """
        share, rest = divmod(self.daily_budget or 0, partitions)
        return share + ((partition + day) % partitions < rest)
