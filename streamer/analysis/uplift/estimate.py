"""The uplift, its interval, and whether the sample could have shown one that matters."""

from __future__ import annotations

from typing import NamedTuple

from streamer.analysis.uplift.outcome import Returned
from streamer.analysis.uplift.proportions import Interval, detectable_difference, needed_sample, newcombe


class Estimate(NamedTuple):
    """Shares are of 1. ``detectable``: the smallest uplift that this sample shows four times in five.

    ``needed_held_out``: users to hold out, at the same shares, to show ``effect`` as surely; ``None``
    where that much uplift is impossible. Both are unknown without users in both arms.
    """

    uplift: float | None
    interval: Interval | None
    effect: float
    detectable: float | None
    needed_held_out: int | None
    enough: bool


def estimate(sent: Returned, held_out: Returned, effect: float) -> Estimate:
    """The difference in return rates; ``effect`` is the smallest uplift that is worth knowing of."""
    if not sent.users or not held_out.users:
        return Estimate(None, None, effect, None, None, enough=False)
    # Two more of each kind (Agresti and Coull 1998) keep a small sample from claiming a rate of 0 or 1.
    base = (held_out.returned + 2) / (held_out.users + 4)
    ratio = sent.users / held_out.users
    needed = needed_sample(base, effect, ratio)
    return Estimate(
        uplift=sent.rate - held_out.rate,
        interval=newcombe(sent.returned, sent.users, held_out.returned, held_out.users),
        effect=effect,
        detectable=detectable_difference(base, held_out.users, ratio),
        needed_held_out=needed,
        enough=needed is not None and held_out.users >= needed,
    )
