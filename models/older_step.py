"""The step as programs before the arena graphs read it: one arena of all layers, and rows for the caller."""

from __future__ import annotations

import torch
from torch import Tensor

from models.network.step import Step


class OlderStep(Step):
    """``(codes, numbers, position, slot, arena)`` to ``(hidden, rows)``.

    The inputs are those of :class:`~models.network.step.Step`, but ``arena`` is float32 ``[slots, layers, 2,
    window, width]``. ``rows`` ``[users, layers, 2, width]``: the event's keys and values, which the caller
    writes into the arena at ``position`` mod ``window``.
    """

    def forward(
        self, codes: Tensor, numbers: Tensor, position: Tensor, slot: Tensor, *arenas: Tensor
    ) -> tuple[Tensor, ...]:
        """See the class."""
        (arena,) = arenas
        mine = arena[slot]
        layers = [mine[:, layer].reshape(-1, self.width) for layer in range(arena.shape[1])]
        users = torch.arange(slot.shape[0])
        hidden, *written = super().forward(codes, numbers, position, users, *layers)
        newest = users * (2 * self.window) + position % self.window
        rows = [of_layer[newest + shift] for of_layer in written for shift in (0, self.window)]
        return hidden, torch.stack(rows, dim=1).reshape(-1, arena.shape[1], 2, self.width)
