"""The alert policy: at which risks which band begins."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from schemas.errors import ConfigurationError

Band = Literal["watch", "high", "critical"]
BANDS: Final[tuple[Band, ...]] = ("watch", "high", "critical")


class Policy(msgspec.Struct, frozen=True):
    """``edges``: the risks at which watch, high and critical begin, ascending, each within (0, 1).

    ``disorder_ms``: how much later than its time an event may come and still find its place before
    the decisions that it would change. ``expiry_ms``: the silence after which a user is forgotten.
    """

    edges: tuple[float, float, float]
    disorder_ms: int = 60_000
    expiry_ms: int = 400 * 86_400_000

    def __post_init__(self) -> None:
        watch, high, critical = self.edges
        if not 0.0 < watch < high < critical < 1.0:
            raise ConfigurationError(
                f"band edges {self.edges} must ascend within 0 and 1: watch < high < critical"
            )

    def level(self, risk: float) -> int:
        """How many band edges ``risk`` has reached: 0 none, 1 watch, 2 high, 3 critical."""
        return sum(risk >= edge for edge in self.edges)
