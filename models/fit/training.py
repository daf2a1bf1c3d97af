"""The stages that learn churn: the query head on features, and the sequence's way into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.data.histories import Histories
from models.fit.language_model import followed_events, next_event_losses
from models.fit.material import Material
from models.loop.epochs import Batch, Run, Trained, Training, Weights, train
from models.network.network import Network, decline_loss, hazard_loss
from models.network.query_head import BINS, QueryHead, foretold_spend, survival_logit
from models.network.sequences import hidden_after, piece_batches, ranges, sequences_of
from models.recipe import Schedule, Task, Variant

_QUESTIONS_AT_A_TIME: Final = 1 << 15


def train_head(
    stage: str, head: QueryHead, material: Material, task: Task, run: Run, epochs: int | None
) -> Trained:
    """Train the query head without any hidden vector; a unit of progress is an example.

    ``epochs``: when to end; ``None`` leaves it to the users held out.
    """
    recipe = task.recipe
    chosen = material.examples_of(held_out=False)

    def loss(batch: Batch) -> Tensor:
        return _loss(head, torch.zeros(len(batch), task.size.width), material, batch)

    def batches(draw: np.random.Generator) -> list[Batch]:
        order = draw.permutation(chosen)
        return np.split(order, np.arange(recipe.batch, len(order), recipe.batch))

    @torch.no_grad()
    def judge() -> float:
        hidden = torch.zeros(1, task.size.width).expand(len(judged), -1)
        return _mean_loss(head, hidden, material, judged)

    judged = material.examples_of(held_out=True)
    training = Training(
        module=head,
        weights=[Weights(_trained_before(head), recipe.head.rate)],
        batches=batches,
        loss=loss,
        units=len,
        judge=judge if epochs is None and material.decides(recipe) and len(judged) else None,
        most=recipe.head.epochs,
        stop_at=recipe.head.epochs if epochs is None else epochs,
        patience=recipe.patience,
        weight_decay=recipe.weight_decay,
    )
    return train(stage, training, task.seed, run)


def train_sequence(
    stage: str,
    network: Network,
    variant: Variant,
    material: Material,
    task: Task,
    run: Run,
    epochs: int | None,
) -> Trained:
    """Train the whole network together for ``variant``; a unit of progress is an event.

    It goes on learning to predict the next event, which keeps the hidden vector general.
    """
    recipe = task.recipe
    sequences, examples = material.sequences, material.examples
    schedule: Schedule = recipe.sequence if variant == "sequence" else recipe.both
    sizes = np.diff(sequences.pieces)
    bounds = np.searchsorted(examples.event, sequences.pieces)
    pieces = material.pieces_of(held_out=False)
    pieces = pieces[bounds[pieces + 1] > bounds[pieces]]
    asked_an_event = (bounds[pieces + 1] - bounds[pieces]).sum() / sizes[pieces].sum()
    usual = asked_an_event * min(recipe.batch_events, sizes[pieces].sum())

    def loss(batch: Batch) -> Tensor:
        events = ranges(sequences.pieces[batch], sequences.pieces[batch + 1])
        hidden = hidden_after(network.transformer, sequences, events)
        asked = ranges(bounds[batch], bounds[batch + 1])
        after = hidden[torch.from_numpy(np.searchsorted(events, examples.event[asked]))]
        # Batches differ in their examples: each example counts alike, not each batch.
        total = _loss(network.head, after, material, asked) * (len(asked) / usual)
        followed = followed_events(sequences, batch)
        if len(followed):
            before = hidden[torch.from_numpy(np.searchsorted(events, followed))]
            following = next_event_losses(network.next_event, sequences, followed, before)
            total = total + recipe.next_event_weight * following.total
        return total

    @torch.no_grad()
    def judge() -> float:
        hidden = hidden_after(network.transformer, sequences, examples.event[judged])
        return _mean_loss(network.head, hidden, material, judged)

    judged = material.examples_of(held_out=True)
    head = network.head
    rate = schedule.rate * (recipe.trained_rate if variant == "both" else 1.0)
    training = Training(
        module=network,
        weights=[
            Weights([*network.transformer.parameters(), *network.next_event.parameters()], schedule.rate),
            Weights([*head.hidden_inner.parameters(), *head.hidden_linear.parameters()], schedule.rate),
            Weights(_trained_before(head), rate),
        ],
        batches=lambda draw: piece_batches(draw, sequences, pieces, recipe),
        loss=loss,
        units=lambda batch: int(sizes[batch].sum()),
        judge=judge if epochs is None and material.decides(recipe) and len(judged) else None,
        most=schedule.epochs,
        stop_at=schedule.epochs if epochs is None else epochs,
        patience=recipe.patience,
        weight_decay=recipe.weight_decay,
    )
    return train(stage, training, task.seed, run)


def _trained_before(head: QueryHead) -> list[torch.nn.Parameter]:
    """The weights that features go through."""
    return [*head.inner.parameters(), *head.network.parameters(), *head.linear.parameters(), *_width(head)]


def _width(head: QueryHead) -> list[torch.nn.Parameter]:
    return [] if head.log_width is None else [head.log_width]


def _loss(head: QueryHead, hidden: Tensor, material: Material, chosen: npt.NDArray[np.int64]) -> Tensor:
    examples, index = material.examples, torch.from_numpy(chosen)
    outputs = head(hidden, examples.features[index])
    total = hazard_loss(outputs, examples.bins[index], examples.seen[index], examples.churned[index])
    if head.log_width is None:
        return total
    return total + decline_loss(head, outputs, examples.declined[index], examples.spend[index])


def _mean_loss(head: QueryHead, hidden: Tensor, material: Material, chosen: npt.NDArray[np.int64]) -> float:
    """The loss over all of ``chosen``, part by part."""
    losses = [_loss(head, hidden[part], material, chosen[part]) for part in _parts(len(chosen))]
    sizes = [len(chosen[part]) for part in _parts(len(chosen))]
    return float(np.average([float(loss) for loss in losses], weights=sizes))


def logits_of(
    network: Network,
    histories: Histories,
    events: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    """Uncalibrated log odds of churn ``[questions]``, asked with ``features`` after ``events``."""
    return survival_logit(outputs_of(network, histories, events, features)).numpy().astype(np.float64)


def foretold_decline(
    network: Network, outputs: Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Uncalibrated log odds of a decline, and expected amounts, of ``outputs`` ``[questions, n]``."""
    spend = foretold_spend(network.head, outputs)
    return outputs[:, BINS].numpy().astype(np.float64), spend.detach().numpy().astype(np.float64)


@torch.no_grad()
def outputs_of(
    network: Network,
    histories: Histories,
    events: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
) -> Tensor:
    """The query head's outputs ``[questions, n]``, asked with ``features`` after ``events``."""
    size = network.transformer.size
    distinct, after = np.unique(events, return_inverse=True)
    hidden = torch.zeros(1, size.width).expand(len(distinct), -1)
    if network.head.uses_hidden:
        hidden = hidden_after(network.transformer, sequences_of(histories, size), distinct)
    parts = [
        network.head(hidden[torch.from_numpy(after[part])], torch.from_numpy(features[part]))
        for part in _parts(len(events))
    ]
    return torch.cat(parts) if parts else torch.empty(0, network.head.outputs)


def _parts(count: int) -> Iterator[slice]:
    """Slices of ``count`` questions that bound the memory of answering them."""
    for begin in range(0, count, _QUESTIONS_AT_A_TIME):
        yield slice(begin, begin + _QUESTIONS_AT_A_TIME)
