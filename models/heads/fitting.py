"""Training the heads that alerts ask, on the hidden vectors of a network that stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, nll_loss

from models.configuration import Schedule, Size, Task
from models.epochs import Batch, Run, Training, Weights, train
from models.fitting import stage_name
from models.heads.amounts import spend_examples
from models.heads.heads import Heads
from models.heads.next_event import TYPES, NextCategory, NextType
from models.heads.spend import Spend
from models.histories import Histories
from models.language_model import followed_events
from models.network import Network
from models.query_head import FeatureEncoding
from models.sequences import Sequences, hidden_after, sequences_of
from streamer.core.aggregates import DAY_MS
from streamer.core.recent import recent_codes

SPEND: Final = "spend head"
NEXT_EVENT: Final = "next-event heads"

SPEND_SCHEDULE: Final = Schedule(epochs=8, rate=2e-3)
NEXT_SCHEDULE: Final = Schedule(epochs=5, rate=5e-3)
BATCH: Final = 512

CUT_EVERY_DAYS: Final = 5.0
CUT_BACK_DAYS: Final = 60.0
"""Spending drifts with seasons and with a shop's growth: older cuts made the order of customers worse."""

MOST_QUESTIONS: Final = 200_000
MOST_EVENTS: Final = 200_000

LEAST_SPENT: Final = 100
"""Examples with an amount, and as many cuts' users without, below which nothing is learnt of spending."""


class Hearing(NamedTuple):
    """Whether the hidden vector has a say in what the spend head and the next-event heads tell."""

    spend: bool
    next_event: bool


def train_heads(
    label: str,
    network: Network,
    histories: Histories,
    columns: npt.NDArray[np.int64],
    task: Task,
    until_ms: int,
    hearing: Hearing,
    run: Run,
) -> Heads:
    """Heads over ``network``, from the events of ``histories``, all before ``until_ms``; in evaluation mode.

    ``label`` names the fit in progress reports and checkpoints; ``columns`` are the features that the spend
    head may use.
    """
    sequences = sequences_of(histories, task.size)
    spend = _train_spend(label, network, histories, sequences, columns, task, until_ms, hearing.spend, run)
    next_type, next_category = _train_next(
        label, network, histories, sequences, task, hearing.next_event, run
    )
    return Heads(spend, next_type, next_category).eval()


def spend_cuts(histories: Histories, task: Task, until_ms: int) -> npt.NDArray[np.int64]:
    """Moments (epoch ms) whose spending within the horizon is known at ``until_ms``."""
    last = until_ms - task.horizon_ms
    step = min(CUT_EVERY_DAYS * DAY_MS, task.horizon_ms / 4)
    earliest = max(last - CUT_BACK_DAYS * DAY_MS, float(histories.times.min()) + step)
    return np.arange(last, earliest, -step).astype(np.int64)


def _train_spend(
    label: str,
    network: Network,
    histories: Histories,
    sequences: Sequences,
    columns: npt.NDArray[np.int64],
    task: Task,
    until_ms: int,
    hears: bool,
    run: Run,
) -> Spend | None:
    """The spend head, or ``None`` where too few amounts are known."""
    cuts = spend_cuts(histories, task, until_ms)
    active_ms = max(task.active_ms, task.recipe.longest_silence * DAY_MS)
    if not len(cuts):
        return None
    asked = spend_examples(histories, cuts, task.horizon_ms, active_ms)
    if min((asked.spend > 0).sum(), (asked.spend == 0).sum()) < LEAST_SPENT:
        return None
    chosen = _drawn(len(asked.spend), MOST_QUESTIONS, task.seed)
    features = torch.from_numpy(asked.features[chosen])
    amounts = torch.from_numpy(asked.spend[chosen]).float()
    hidden = _hidden(network, sequences, asked.moments.event[chosen])
    encoding = FeatureEncoding(asked.features[chosen], columns, task.size.quantiles)
    _seed(label, SPEND, task.seed)
    head = Spend(encoding, task.size, task.recipe.dropout, amounts)

    def loss(batch: Batch) -> Tensor:
        return head.loss(hidden[batch], features[batch], amounts[batch])

    _train(stage_name(label, SPEND), head, loss, len(chosen), SPEND_SCHEDULE, task, hears, run)
    return head


def _train_next(
    label: str,
    network: Network,
    histories: Histories,
    sequences: Sequences,
    task: Task,
    hears: bool,
    run: Run,
) -> tuple[NextType, NextCategory]:
    """Heads for the type and the category of the next event."""
    every = followed_events(sequences, np.arange(len(sequences.begins)))
    events = every[_drawn(len(every), MOST_EVENTS, task.seed)]
    hidden, following = _hidden(network, sequences, events), sequences.codes[torch.from_numpy(events + 1)]
    newest = sequences.codes[torch.from_numpy(events), 0]
    transitions = torch.zeros(TYPES * TYPES).index_add(
        0, newest * TYPES + following[:, 0], torch.ones(len(events))
    )
    categories = torch.bincount(following[:, 1], minlength=task.size.category_buckets).float()
    _seed(label, NEXT_EVENT, task.seed)
    heads = nn.ModuleList(
        [
            next_type := NextType(task.size, transitions.reshape(TYPES, TYPES), task.recipe.dropout),
            next_category := NextCategory(task.size, categories),
        ]
    )

    def loss(batch: Batch) -> Tensor:
        recent, actual = recent_of(histories, events[batch], task.size), following[batch]
        of_type = cross_entropy(next_type(hidden[batch], recent[:, :, 0]), actual[:, 0])
        return of_type + nll_loss(next_category(hidden[batch], recent[:, :, 1]), actual[:, 1])

    if len(events):
        _train(stage_name(label, NEXT_EVENT), heads, loss, len(events), NEXT_SCHEDULE, task, hears, run)
    return next_type, next_category


def recent_of(histories: Histories, events: npt.NDArray[np.int64], size: Size) -> Tensor:
    """What the alert graph is told of the newest tokens right after each of ``events``."""
    user = np.searchsorted(histories.starts, events, side="right") - 1
    held = events - histories.starts[user] + 1
    return torch.from_numpy(
        recent_codes(histories.tokens, events, held, size.rebuild_tokens, size.category_buckets)
    )


def _train(
    stage: str,
    module: nn.Module,
    loss: Callable[[Batch], Tensor],
    count: int,
    schedule: Schedule,
    task: Task,
    hears: bool,
    run: Run,
) -> None:
    def batches(draw: np.random.Generator) -> list[Batch]:
        order = draw.permutation(count)
        return np.split(order, np.arange(BATCH, count, BATCH))

    trained = [weight for name, weight in module.named_parameters() if hears or "hidden_" not in name]
    training = Training(
        module=module,
        weights=[Weights(trained, schedule.rate)],
        batches=batches,
        loss=loss,
        units=len,
        judge=None,
        most=schedule.epochs,
        stop_at=schedule.epochs,
        patience=schedule.epochs,
        weight_decay=task.recipe.weight_decay,
    )
    train(stage, training, task.seed, run)


def _seed(label: str, part: str, seed: int) -> None:
    """What a head begins with depends on nothing that happened before."""
    drawn = sha256(f"{seed}/{stage_name(label, part)}".encode()).digest()
    torch.manual_seed(int.from_bytes(drawn[:7], "big"))


@torch.no_grad()
def _hidden(network: Network, sequences: Sequences, events: npt.NDArray[np.int64]) -> Tensor:
    return hidden_after(network.transformer, sequences, events)


def _drawn(count: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    """All of ``count`` indices, or ``most`` of them drawn with ``seed``; ascending."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])
