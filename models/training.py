"""The training loops: first the query head on features alone, then the transformer as its residual.

The features carry most of what is known of churn, so the head is trained to its end before the sequence may
correct it; the transformer also learns to predict each next event, which keeps its hidden vector general.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.configuration import Recipe, Size, Task
from models.examples import Examples
from models.histories import Histories
from models.network import Network, base_hazards, hazard_loss
from models.query_head import FeatureEncoding, QueryHead, survival_logit
from models.transformer import Transformer
from streamer.core.transformer_inputs import TransformerInputs, transformer_inputs

Progress = Callable[[int], None]
"""Told how many more units of work were done."""


class Sequences(NamedTuple):
    """Transformer inputs of all events, and where each user's begin (``[users + 1]``)."""

    codes: Tensor
    numbers: Tensor
    starts: npt.NDArray[np.int64]


class Tensors(NamedTuple):
    """Examples for torch, sorted by event; ``event`` and ``first`` place them in their users' sequences."""

    event: npt.NDArray[np.int64]
    features: Tensor
    bins: Tensor
    seen: Tensor
    churned: Tensor


def sequences_of(histories: Histories, size: Size) -> Sequences:
    """What the transformer sees of ``histories``."""
    inputs: TransformerInputs = transformer_inputs(
        histories.tokens, histories.previous_times(), size.category_buckets, size.item_buckets
    )
    return Sequences(torch.from_numpy(inputs.codes), torch.from_numpy(inputs.numbers), histories.starts)


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
    histories: Histories, examples: Examples, task: Task, on_head: Progress, on_sequence: Progress
) -> Network:
    """A network trained on ``examples`` of ``histories``, the same for the same seed, in evaluation mode."""
    torch.manual_seed(task.seed)
    data = as_tensors(examples)
    encoding = FeatureEncoding(examples.features, task.size.quantiles)
    hazards = base_hazards(data.bins, data.seen)
    head = QueryHead(encoding, task.size, task.recipe.dropout, hazards)
    network = Network(Transformer(task.size), head)
    train_head(network, data, task.recipe, task.seed, on_head)
    train_sequence(network, sequences_of(histories, task.size), data, task.recipe, task.seed, on_sequence)
    return network.eval()


def train_head(network: Network, data: Tensors, recipe: Recipe, seed: int, progress: Progress) -> None:
    """Train the query head without the residual; a unit of progress is an example."""
    head = network.head.train()
    hidden = torch.zeros(recipe.batch, network.transformer.size.width)
    count = len(data.event)
    steps = recipe.head_epochs * -(-count // recipe.batch)
    trained = [value for name, value in head.named_parameters() if not name.startswith("residual")]
    optimiser, schedule = _optimiser(trained, recipe.head_rate, recipe.weight_decay, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(recipe.head_epochs):
        for chosen in torch.randperm(count, generator=generator).split(recipe.batch):
            logits = head(hidden[: len(chosen)], data.features[chosen])
            loss = hazard_loss(logits, data.bins[chosen], data.seen[chosen], data.churned[chosen])
            _descend(loss, optimiser, schedule, trained)
            progress(len(chosen))
    head.eval()


def train_sequence(
    network: Network, sequences: Sequences, data: Tensors, recipe: Recipe, seed: int, progress: Progress
) -> None:
    """Train transformer, residual and next-event heads under a head that stays; a unit of progress is an event."""
    with torch.no_grad():
        base = network.head(torch.zeros(len(data.event), network.transformer.size.width), data.features)
    batches = list(user_batches(sequences.starts, recipe.tokens_per_batch))
    trained = [
        *network.transformer.parameters(),
        *network.next_event.parameters(),
        *network.head.residual.parameters(),
    ]
    steps = recipe.sequence_epochs * len(batches)
    optimiser, schedule = _optimiser(trained, recipe.sequence_rate, recipe.weight_decay, steps)
    order = np.random.default_rng(seed)
    for _ in range(recipe.sequence_epochs):
        for index in order.permutation(len(batches)):
            users = batches[index]
            events = user_events(sequences.starts, users)
            hidden = hidden_of(network.transformer, sequences, users)
            picked = examples_of(data.event, sequences.starts, users)
            row = np.searchsorted(events, data.event[picked]) if len(events) else picked
            logits = base[picked] + network.head.residual(hidden[row])
            loss = hazard_loss(logits, data.bins[picked], data.seen[picked], data.churned[picked])
            follows = np.flatnonzero(np.diff(events) == 1)
            follows = follows[~np.isin(events[follows + 1], sequences.starts)]
            if len(follows):
                following = events[follows + 1]
                loss = loss + recipe.next_event_weight * network.next_event.loss(
                    hidden[follows], sequences.codes[following], sequences.numbers[following]
                )
            _descend(loss, optimiser, schedule, trained)
            progress(len(events))


def user_batches(starts: npt.NDArray[np.int64], tokens: int) -> Iterator[npt.NDArray[np.int64]]:
    """Users of like length together, each batch of at most ``tokens`` events once padded, or of one user."""
    lengths = np.diff(starts)
    batch: list[int] = []
    for user in np.argsort(lengths, kind="stable"):
        if batch and lengths[user] * (len(batch) + 1) > tokens:
            yield np.sort(np.array(batch))
            batch = []
        batch.append(int(user))
    if batch:
        yield np.sort(np.array(batch))


def user_events(starts: npt.NDArray[np.int64], users: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Indices of all events of ``users`` (ascending), ascending."""
    return np.concatenate([np.arange(starts[user], starts[user + 1]) for user in users])


def examples_of(
    example_events: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], users: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Indices of the examples (sorted by event) that belong to ``users``."""
    first = np.searchsorted(example_events, starts[users])
    last = np.searchsorted(example_events, starts[users + 1])
    return np.concatenate([np.arange(*bounds) for bounds in zip(first, last, strict=True)])


def hidden_of(transformer: Transformer, sequences: Sequences, users: npt.NDArray[np.int64]) -> Tensor:
    """Hidden vectors after every event of ``users``, ``[events, width]`` in the order of :func:`user_events`."""
    bounds = [slice(sequences.starts[user], sequences.starts[user + 1]) for user in users]
    codes = torch.nn.utils.rnn.pad_sequence([sequences.codes[part] for part in bounds], batch_first=True)
    numbers = torch.nn.utils.rnn.pad_sequence([sequences.numbers[part] for part in bounds], batch_first=True)
    lengths = torch.tensor([part.stop - part.start for part in bounds])
    inside = torch.arange(codes.shape[1]) < lengths[:, None]
    return transformer(codes, numbers)[inside]


@torch.no_grad()
def logits_of(network: Network, histories: Histories, examples: Examples) -> npt.NDArray[np.float64]:
    """Uncalibrated log odds of churn for each example, ``[examples]``."""
    sequences = sequences_of(histories, network.transformer.size)
    hidden = torch.empty(len(histories.tokens), network.transformer.size.width)
    for users in user_batches(sequences.starts, 8192):
        hidden[user_events(sequences.starts, users)] = hidden_of(network.transformer, sequences, users)
    logits = network.head(hidden[examples.moments.event], torch.from_numpy(examples.features))
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
