"""The heads that a bundle serves, and what may be expected of them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories
from models.heads.fitting import HeadsFit, Hearing
from models.heads.heads import Heads
from models.heads.material import HeadMaterial
from models.heads.validation import Judged, JudgedHeads, judge_heads
from models.loop.epochs import Run
from models.network.network import Network
from models.recipe import Task
from models.selection.validation import FIRST_FIT
from models.selection.variants import FINAL_FIT
from schemas.bundle.manifest import AlertHeads
from schemas.event import EVENT_TYPES

WITH_SEQUENCE: Final = f"{FIRST_FIT}, with sequence"


class Served(NamedTuple):
    """The heads over the network that is served, and the figures of their like."""

    heads: Heads
    metrics: dict[str, float]

    def described(self, histories: Histories, categories: tuple[str | None, ...]) -> AlertHeads:
        """For the manifest; ``categories`` are the buckets' names."""
        seen = np.unique(histories.tokens["type"]).tolist()
        types = tuple(EVENT_TYPES[code] for code in seen)
        return AlertHeads(self.heads.spend is not None, types, categories)


def serve_heads(
    first: Network,
    final: Network,
    histories: Histories,
    columns: npt.NDArray[np.int64],
    task: Task,
    run: Run,
) -> Served | None:
    """Heads over ``final``, trained on everything; ``None`` where the training is interrupted.

    Others, trained over ``first`` without the last horizon, once deaf to the hidden vector and once not, are
    judged on it. That says which heads listen, what their figures are, and by what expected amounts are
    scaled. Where those could not learn spending, none is served.
    """
    known_ms = task.until_ms - task.horizon_ms
    early, whole = (
        HeadMaterial.of(first, histories.before(known_ms)),
        HeadMaterial.of(first, histories),
    )
    followed = early.followed(task.seed)
    judged: list[JudgedHeads] = []
    for label, hears in ((FIRST_FIT, False), (WITH_SEQUENCE, True)):
        fit = HeadsFit(label, early, followed, columns, task, known_ms, run)
        tried = fit.heads(Hearing(hears, hears, hears))
        judged.append(judge_heads(tried, whole, task, known_ms))
    hearing = choose(*judged)
    served = HeadMaterial.of(final, histories)
    fit = HeadsFit(FINAL_FIT, served, served.followed(task.seed), columns, task, task.until_ms, run)
    heads = fit.heads(hearing)
    if run.interruption.requested:
        return None
    like = judged[hearing.spend]
    if like.spend is None:
        heads.spend = None
    elif heads.spend is not None:
        heads.spend.scale.fill_(like.scale)
    figures = (like.spend, judged[hearing.next_type].next_type, judged[hearing.next_category].next_category)
    return Served(
        heads, {name: value for one in figures if one is not None for name, value in one.metrics.items()}
    )


def choose(deaf: JudgedHeads, hearing: JudgedHeads) -> Hearing:
    """Which heads listen: those whose loss is lower for it."""
    return Hearing(
        _is_better(hearing.spend, deaf.spend),
        _is_better(hearing.next_type, deaf.next_type),
        _is_better(hearing.next_category, deaf.next_category),
    )


def _is_better(one: Judged | None, other: Judged | None) -> bool:
    return one is not None and other is not None and one.loss < other.loss
