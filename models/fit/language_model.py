"""The next-action language model: the transformer learns what each user does next, when, and for how much."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.fit.material import Material
from models.loop.epochs import Batch, Run, Trained, Training, Weights, train
from models.network.network import NextEvent, NextEventLosses
from models.network.sequences import Sequences, hidden_after, piece_batches, ranges
from models.network.transformer import Transformer
from models.recipe import Task

MOST_JUDGED: Final = 20_000
"""Events; all categories' odds after each of them are in memory at a time."""


class LanguageModel(nn.Module):
    """Transformer and the heads that predict from its hidden vectors the event that follows."""

    def __init__(self, transformer: Transformer, next_event: NextEvent) -> None:
        super().__init__()
        self.transformer = transformer
        self.next_event = next_event


class Surprise(NamedTuple):
    """Log loss in nats, mean over events of users that the model never saw."""

    type: float
    category: float

    @property
    def metrics(self) -> dict[str, float]:
        """As the manifest names them; a perplexity is the exponential of a log loss."""
        return {
            "next_type_log_loss": self.type,
            "next_type_perplexity": math.exp(self.type),
            "next_category_log_loss": self.category,
            "next_category_perplexity": math.exp(self.category),
        }


def learn_language(
    stage: str, model: LanguageModel, material: Material, task: Task, run: Run, epochs: int | None
) -> Trained:
    """Train ``model`` on the events of the users not held out; a unit of progress is an event.

    ``epochs``: when to end; ``None`` leaves it to the users held out.
    """
    recipe = task.recipe
    sequences = material.sequences
    pieces = material.pieces_of(held_out=False)
    sizes = np.diff(sequences.pieces)
    judged = _judged_events(material)

    def loss(batch: Batch) -> Tensor:
        events = followed_events(sequences, batch)
        if not len(events):
            return next(model.parameters()).sum() * 0.0
        hidden = hidden_after(model.transformer, sequences, events)
        return next_event_losses(model.next_event, sequences, events, hidden).total

    @torch.no_grad()
    def judge() -> float:
        hidden = hidden_after(model.transformer, sequences, judged)
        return float(next_event_losses(model.next_event, sequences, judged, hidden).total)

    training = Training(
        module=model,
        weights=[Weights(list(model.parameters()), recipe.language.rate)],
        batches=lambda draw: piece_batches(draw, sequences, pieces, recipe),
        loss=loss,
        units=lambda batch: int(sizes[batch].sum()),
        judge=judge if epochs is None and material.decides(recipe) and len(judged) else None,
        most=recipe.language.epochs,
        stop_at=recipe.language.epochs if epochs is None else epochs,
        patience=recipe.patience,
        weight_decay=recipe.weight_decay,
    )
    return train(stage, training, task.seed, run)


@torch.no_grad()
def surprise(model: LanguageModel, material: Material) -> Surprise | None:
    """How well ``model`` foretells the users held out; ``None`` where they have no two events in a row."""
    events = _judged_events(material)
    if not len(events):
        return None
    hidden = hidden_after(model.transformer, material.sequences, events)
    losses = next_event_losses(model.next_event, material.sequences, events, hidden)
    return Surprise(float(losses.type), float(losses.category))


def _judged_events(material: Material) -> npt.NDArray[np.int64]:
    """Events of the users held out, of many an evenly spaced part."""
    events = followed_events(material.sequences, material.pieces_of(held_out=True))
    return events[:: -(-len(events) // MOST_JUDGED) or 1]


def followed_events(sequences: Sequences, pieces: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Indices of the events in ``pieces`` that are not their user's last."""
    events = ranges(sequences.pieces[pieces], sequences.pieces[pieces + 1])
    at = np.searchsorted(sequences.starts, events + 1)
    return events[sequences.starts[at] != events + 1]


def next_event_losses(
    next_event: NextEvent, sequences: Sequences, events: npt.NDArray[np.int64], hidden: Tensor
) -> NextEventLosses:
    """Losses of predicting what follows ``events``, one at least, from the hidden vectors after them."""
    following = torch.from_numpy(events + 1)
    return next_event.losses(hidden, sequences.codes[following], sequences.numbers[following])
