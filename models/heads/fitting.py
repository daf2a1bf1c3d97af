"""Training the heads that alerts ask, on the hidden vectors of a network that stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, nll_loss

from models.data.histories import Histories
from models.fit.fitting import stage_name
from models.heads.amounts import spend_examples
from models.heads.heads import Heads
from models.heads.material import Followed, HeadMaterial
from models.heads.next_event import TYPES, NextCategory, NextType
from models.heads.spend import Spend
from models.loop.epochs import Batch, Run, Training, Weights, train
from models.network.query_head import FeatureEncoding
from models.recipe import Schedule, Task
from schemas.units import DAY_MS

SPEND: Final = "spend head"
NEXT_TYPE: Final = "next-type head"
NEXT_CATEGORY: Final = "next-category head"

SCHEDULES: Final = {SPEND: Schedule(8, 2e-3), NEXT_TYPE: Schedule(5, 5e-3), NEXT_CATEGORY: Schedule(5, 5e-3)}
BATCH: Final = 512

CUT_EVERY_DAYS: Final = 5.0
CUT_BACK_DAYS: Final = 60.0
"""Spending drifts with seasons and with a shop's growth: older cuts made the order of customers worse."""

MOST_QUESTIONS: Final = 200_000

LEAST_SPENT: Final = 100
"""Questions with an amount, and questions without one, below which nothing is learnt of spending."""


class Hearing(NamedTuple):
    """Whether the hidden vector has a say in what each head tells."""

    spend: bool
    next_type: bool
    next_category: bool


@dataclass(frozen=True)
class HeadsFit:
    """Learns from ``material``, all of it before ``until_ms``, and from its events that were ``followed``.

    ``label`` names the fit in progress reports and checkpoints; ``columns`` are the features that the spend
    head may use.
    """

    label: str
    material: HeadMaterial
    followed: Followed
    columns: npt.NDArray[np.int64]
    task: Task
    until_ms: int
    run: Run

    def heads(self, hearing: Hearing) -> Heads:
        """All heads, in evaluation mode."""
        return Heads(
            self._spend(hearing.spend),
            self._next_type(hearing.next_type),
            self._next_category(hearing.next_category),
        ).eval()

    def _spend(self, hears: bool) -> Spend | None:
        """The spend head, or ``None`` where too few amounts are known."""
        histories, task = self.material.histories, self.task
        cuts = spend_cuts(histories, task, self.until_ms)
        active_ms = max(task.active_ms, task.recipe.longest_silence * DAY_MS)
        asked = spend_examples(histories, cuts, task.horizon_ms, active_ms)
        if min((asked.spend > 0).sum(), (asked.spend == 0).sum()) < LEAST_SPENT:
            self.run.report.finished(stage_name(self.label, SPEND))
            return None
        chosen = self._drawn(len(asked.spend))
        features = torch.from_numpy(asked.features[chosen])
        amounts = torch.from_numpy(asked.spend[chosen]).float()
        hidden = self.material.hidden(asked.moments.event[chosen])
        encoding = FeatureEncoding(asked.features[chosen], self.columns, task.size.quantiles)
        self._seed(SPEND)
        head = Spend(encoding, task.size, task.recipe.dropout, amounts)

        def loss(batch: Batch) -> Tensor:
            return head.loss(hidden[batch], features[batch], amounts[batch])

        self._train(SPEND, head, hears, loss, len(chosen))
        return head

    def _next_type(self, hears: bool) -> NextType:
        events, hidden, actual = self.followed
        newest = self.material.sequences.codes[torch.from_numpy(events), 0]
        pairs = torch.bincount(newest * TYPES + actual[:, 0], minlength=TYPES * TYPES)
        self._seed(NEXT_TYPE)
        head = NextType(self.task.size, pairs.reshape(TYPES, TYPES).float(), self.task.recipe.dropout)

        def loss(batch: Batch) -> Tensor:
            recent = self.material.recent(events[batch])
            return cross_entropy(head(hidden[batch], recent[:, :, 0]), actual[batch, 0])

        self._train(NEXT_TYPE, head, hears, loss, len(events))
        return head

    def _next_category(self, hears: bool) -> NextCategory:
        events, hidden, actual = self.followed
        counts = torch.bincount(actual[:, 1], minlength=self.task.size.category_buckets)
        self._seed(NEXT_CATEGORY)
        head = NextCategory(self.task.size, counts.float())

        def loss(batch: Batch) -> Tensor:
            recent = self.material.recent(events[batch])
            return nll_loss(head(hidden[batch], recent[:, :, 1]), actual[batch, 1])

        self._train(NEXT_CATEGORY, head, hears, loss, len(events))
        return head

    def _train(
        self, part: str, head: nn.Module, hears: bool, loss: Callable[[Batch], Tensor], count: int
    ) -> None:
        """Train ``head`` on ``count`` examples; a unit of progress is an example."""
        schedule, stage = SCHEDULES[part], stage_name(self.label, part)
        if not count:
            self.run.report.finished(stage)
            return

        def batches(draw: np.random.Generator) -> list[Batch]:
            order = draw.permutation(count)
            return np.split(order, np.arange(BATCH, count, BATCH))

        trained = [
            weight for name, weight in head.named_parameters() if hears or not name.startswith("hidden_")
        ]
        training = Training(
            module=head,
            weights=[Weights(trained, schedule.rate)],
            batches=batches,
            loss=loss,
            units=len,
            judge=None,
            most=schedule.epochs,
            stop_at=schedule.epochs,
            patience=schedule.epochs,
            weight_decay=self.task.recipe.weight_decay,
        )
        train(stage, training, self.task.seed, self.run)

    def _seed(self, part: str) -> None:
        """What a head begins with depends on nothing that happened before."""
        drawn = sha256(f"{self.task.seed}/{stage_name(self.label, part)}".encode()).digest()
        torch.manual_seed(int.from_bytes(drawn[:7], "big"))

    def _drawn(self, count: int) -> npt.NDArray[np.int64]:
        """All of ``count`` indices, or :data:`MOST_QUESTIONS` of them; ascending."""
        if count <= MOST_QUESTIONS:
            return np.arange(count)
        return np.sort(np.random.default_rng(self.task.seed).permutation(count)[:MOST_QUESTIONS])


def spend_cuts(histories: Histories, task: Task, until_ms: int) -> npt.NDArray[np.int64]:
    """Moments (epoch ms) whose spending within the horizon is known at ``until_ms``."""
    last = until_ms - task.horizon_ms
    step = min(CUT_EVERY_DAYS * DAY_MS, task.horizon_ms / 4)
    earliest = max(last - CUT_BACK_DAYS * DAY_MS, float(histories.times.min()) + step)
    # There is always one, as training asks for histories of three horizons.
    return np.arange(last, min(earliest, last - 1), -step).astype(np.int64)
