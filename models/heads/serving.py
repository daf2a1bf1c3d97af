"""The heads that a bundle serves, and what may be expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.configuration import Task
from models.epochs import Run
from models.heads.fitting import Hearing, train_heads
from models.heads.heads import Heads
from models.heads.validation import JudgedHeads, judge_heads
from models.histories import Histories
from models.network import Network
from models.validation import FIRST_FIT
from models.variants import FINAL_FIT
from schemas.bundle import AlertHeads
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
    earlier = histories.before(known_ms)
    judged: list[JudgedHeads] = []
    for label, hears in ((FIRST_FIT, False), (WITH_SEQUENCE, True)):
        hearing = Hearing(hears, hears)
        tried = train_heads(label, first, earlier, columns, task, known_ms, hearing, run)
        judged.append(judge_heads(first, tried, histories, task, known_ms))
    hearing = choose(judged)
    heads = train_heads(FINAL_FIT, final, histories, columns, task, task.until_ms, hearing, run)
    if run.interruption.requested:
        return None
    spend = judged[hearing.spend].spend
    if spend is None:
        heads.spend = None
    elif heads.spend is not None:
        heads.spend.scale.fill_(spend.scale)
    next_event = judged[hearing.next_event].next_event
    return Served(heads, {**(spend.metrics if spend else {}), **(next_event.metrics if next_event else {})})


def choose(judged: Sequence[JudgedHeads]) -> Hearing:
    """Which heads listen: those whose loss is lower for it. ``judged``: deaf ones and listening ones."""
    deaf, hearing = judged
    return Hearing(
        deaf.spend is not None and hearing.spend is not None and hearing.spend.loss < deaf.spend.loss,
        deaf.next_event is not None
        and hearing.next_event is not None
        and hearing.next_event.loss < deaf.next_event.loss,
    )
