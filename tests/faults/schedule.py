"""Which fault strikes when, drawn from a seed before anything starts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of fault: how often it strikes in one campaign, and for how long it lasts, seconds.

    ``recovery_from``: the moment from which its recovery is counted, in words.
    """

    name: str
    times: int
    hold_s: tuple[float, float]
    recovery_from: str


class Strike(NamedTuple):
    """One fault to come. ``worker``: which of those that run is meant, counted modulo their number.

    ``hold_s``: how long the fault lasts; ``pause_s``: how long nothing happens after the recovery.
    """

    number: int
    kind: str
    worker: int
    hold_s: float
    pause_s: float

    def __str__(self) -> str:
        return f"{self.kind:<18} worker {self.worker}  holds {self.hold_s:5.2f} s  then {self.pause_s:4.2f} s"


def draw_schedule(seed: int, kinds: Iterable[Kind], times: Mapping[str, int] | None = None) -> list[Strike]:
    """The strikes of a campaign in random order; the same seed and times give the same schedule.

    ``times``: how often each kind strikes where that is not the kind's own number.
    """
    draw = random.Random(f"schedule {seed}")
    chosen = [kind for kind in kinds for _ in range((times or {}).get(kind.name, kind.times))]
    draw.shuffle(chosen)
    return [
        Strike(
            number,
            kind.name,
            draw.randrange(6),
            round(draw.uniform(*kind.hold_s), 2),
            round(draw.uniform(0.1, 1.0), 2),
        )
        for number, kind in enumerate(chosen, 1)
    ]
