"""What an evaluation comes to."""

from __future__ import annotations

import msgspec

from models.evaluation.figures import Row, Target


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the bundle less that of ``model``; ``best``: none of the baselines has a higher AUROC.

    The interval is that of the same users drawn for both. Of ``brier`` less is better.
    """

    at: str | None
    model: str
    best: bool
    figure: str
    difference: float
    lo: float
    hi: float
    target: Target = "absence"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """``rows``: all users of each cut, and of all cuts together; ``segments``: the same by activity."""

    rows: list[Row]
    segments: list[Row]
    differences: list[Difference]
    draws: int
