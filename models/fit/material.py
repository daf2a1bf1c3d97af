"""What one fit learns from: events as the transformer sees them, examples, and the users held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.data.examples import Examples
from models.data.histories import Histories
from models.network.sequences import Sequences, sequences_of
from models.recipe import Recipe, Task

MOST_HELD_OUT: Final = 2_000
"""Users; more would take time and tell nothing new."""


class Tensors(NamedTuple):
    """Examples for torch, sorted by the event that they follow, ``event``."""

    event: npt.NDArray[np.int64]
    features: Tensor
    bins: Tensor
    seen: Tensor
    churned: Tensor
    declined: Tensor
    spend: Tensor


@dataclass(frozen=True)
class Material:
    """``columns``: the features that the query head may use.

    ``held_out`` ``[users]``: whose examples and events no weight is fitted to.
    """

    sequences: Sequences
    examples: Tensors
    columns: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]

    def decides(self, recipe: Recipe) -> bool:
        """Whether enough users are held out for their losses to say when to stop."""
        return int(self.held_out.sum()) >= recipe.least_held_out

    def examples_of(self, *, held_out: bool) -> npt.NDArray[np.int64]:
        """Indices of the examples of the users held out, or of the others; ascending."""
        user = np.searchsorted(self.sequences.starts, self.examples.event, side="right") - 1
        return np.flatnonzero(self.held_out[user] == held_out)

    def pieces_of(self, *, held_out: bool) -> npt.NDArray[np.int64]:
        """Indices of the pieces of history of the users held out, or of the others; ascending."""
        return np.flatnonzero(self.held_out[self.sequences.piece_users()] == held_out)


def material(
    histories: Histories,
    examples: Examples,
    columns: npt.NDArray[np.int64],
    task: Task,
    held_out: npt.NDArray[np.bool_],
) -> Material:
    """What a fit learns from ``examples`` of ``histories``, without the users ``held_out`` ``[users]``."""
    return Material(sequences_of(histories, task.size), _as_tensors(examples), columns, held_out)


def drawn_users(histories: Histories, task: Task) -> npt.NDArray[np.bool_]:
    """The share of the users that the recipe holds out, drawn with the task's seed, ``[users]``."""
    held_out = np.zeros(histories.users, bool)
    count = min(int(task.recipe.held_out * histories.users), MOST_HELD_OUT)
    held_out[np.random.default_rng(task.seed).permutation(histories.users)[:count]] = True
    return held_out


def _as_tensors(examples: Examples) -> Tensors:
    order = np.argsort(examples.moments.event, kind="stable")
    return Tensors(
        examples.moments.event[order],
        torch.from_numpy(examples.features[order]),
        torch.from_numpy(examples.bin[order]),
        torch.from_numpy(examples.seen[order]),
        torch.from_numpy(examples.churned[order]),
        torch.from_numpy(examples.declined[order]),
        torch.from_numpy(examples.spend[order]),
    )
