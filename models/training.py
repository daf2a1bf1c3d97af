"""The training loops: first the query head on features alone, then the transformer as its residual.

The features carry most of what is known of churn, so the head is trained to its end before the sequence may
correct it; the transformer also learns to predict each next event, which keeps its hidden vector general.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.configuration import Task
from models.examples import Examples
from models.histories import Histories
from models.network import Network, base_hazards, hazard_loss
from models.query_head import FeatureEncoding, QueryHead, survival_logit
from models.sequences import Sequences, hidden_of, ranges, sequences_of, user_events
from models.transformer import Transformer

Progress = Callable[[int], None]
"""Told how many more units of work were done."""


class Tensors(NamedTuple):
    """Examples for torch, sorted by event; ``event`` and ``first`` place them in their users' sequences."""

    event: npt.NDArray[np.int64]
    features: Tensor
    bins: Tensor
    seen: Tensor
    churned: Tensor


def as_tensors(examples: Examples) -> Tensors:
    """Examples sorted by the event that they follow."""
    order = np.argsort(examples.moments.event, kind="stable")
    return Tensors(
        examples.moments.event[order],
        torch.from_numpy(examples.features[order]),
        torch.from_numpy(examples.bin[order]),
        torch.from_numpy(examples.seen[order]),
        torch.from_numpy(examples.churned[order]),
    )


def train(
    histories: Histories,
    examples: Examples,
    columns: npt.NDArray[np.int64],
    task: Task,
    progress: Progress,
) -> Network:
    """A network trained on ``examples`` of ``histories``, the same for the same seed, in evaluation mode.

    ``columns``: the features that the query head uses.
    """
    torch.manual_seed(task.seed)
    data = as_tensors(examples)
    encoding = FeatureEncoding(examples.features, columns, task.size.quantiles)
    hazards = base_hazards(data.bins, data.seen)
    head = QueryHead(encoding, task.size, task.recipe.dropout, hazards)
    network = Network(Transformer(task.size), head)
    train_head(network, data, task, progress)
    train_sequence(network, sequences_of(histories, task.size), data, task, progress)
    return network.eval()


def train_head(network: Network, data: Tensors, task: Task, progress: Progress) -> None:
    """Train the query head without the residual; a unit of progress is an example."""
    recipe = task.recipe
    head = network.head.train()
    hidden = torch.zeros(recipe.batch, network.transformer.size.width)
    count = len(data.event)
    steps = recipe.head_epochs * -(-count // recipe.batch)
    trained = [value for name, value in head.named_parameters() if not name.startswith("residual")]
    optimiser, schedule = _optimiser(trained, recipe.head_rate, recipe.weight_decay, steps)
    generator = torch.Generator().manual_seed(task.seed)
    for _ in range(recipe.head_epochs):
        for chosen in torch.randperm(count, generator=generator).split(recipe.batch):
            logits = head(hidden[: len(chosen)], data.features[chosen])
            loss = hazard_loss(logits, data.bins[chosen], data.seen[chosen], data.churned[chosen])
            _descend(loss, optimiser, schedule, trained)
            progress(len(chosen))
    head.eval()


def train_sequence(
    network: Network, sequences: Sequences, data: Tensors, task: Task, progress: Progress
) -> None:
    """Train transformer, residual and next-event heads under a head that stays.

    A unit of progress is an event.
    """
    recipe = task.recipe
    with torch.no_grad():
        base = network.head(torch.zeros(len(data.event), task.size.width), data.features)
    users = len(sequences.starts) - 1
    batches = -(-users // recipe.users_per_batch)
    trained = [
        *network.transformer.parameters(),
        *network.next_event.parameters(),
        *network.head.residual.parameters(),
    ]
    steps = recipe.sequence_epochs * batches
    optimiser, schedule = _optimiser(trained, recipe.sequence_rate, recipe.weight_decay, steps)
    order = np.random.default_rng(task.seed)
    for _ in range(recipe.sequence_epochs):
        for shuffled in np.array_split(order.permutation(users), batches):
            batch = np.sort(shuffled)
            events = user_events(sequences.starts, batch)
            hidden = hidden_of(network.transformer, sequences, batch)
            loss = recipe.next_event_weight * _next_event_loss(network, sequences, events, hidden)
            asked = examples_of(data.event, sequences.starts, batch)
            if len(asked):
                residual = network.head.residual(hidden[np.searchsorted(events, data.event[asked])])
                # Batches differ in their examples: each example counts alike, not each batch.
                share = len(asked) * batches / len(data.event)
                loss = loss + share * hazard_loss(
                    base[asked] + residual, data.bins[asked], data.seen[asked], data.churned[asked]
                )
            _descend(loss, optimiser, schedule, trained)
            progress(len(events))


def _next_event_loss(
    network: Network, sequences: Sequences, events: npt.NDArray[np.int64], hidden: Tensor
) -> Tensor:
    """Loss of predicting, from each of ``events`` that is not its user's last, the one that follows."""
    followed = np.flatnonzero(~np.isin(events + 1, sequences.starts))
    if not len(followed):
        return hidden.sum() * 0.0
    following = events[followed] + 1
    return network.next_event.loss(hidden[followed], sequences.codes[following], sequences.numbers[following])


def examples_of(
    example_events: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], users: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Indices of the examples (sorted by event) that belong to ``users``."""
    bounds = np.searchsorted(example_events, np.stack([starts[users], starts[users + 1]]))
    return ranges(bounds[0], bounds[1])


@torch.no_grad()
def logits_of(
    network: Network,
    histories: Histories,
    events: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    """Uncalibrated log odds of churn ``[questions]``, asked with ``features`` after ``events``."""
    sequences = sequences_of(histories, network.transformer.size)
    hidden = hidden_of(network.transformer, sequences, np.arange(histories.users))
    logits = network.head(hidden[events], torch.from_numpy(features))
    return survival_logit(logits).numpy().astype(np.float64)


def _optimiser(
    parameters: list[torch.nn.Parameter], rate: float, weight_decay: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=weight_decay)
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1.0 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _descend(
    loss: Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    parameters: list[torch.nn.Parameter],
) -> None:
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    schedule.step()
