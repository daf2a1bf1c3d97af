"""The transformer in the form that is served: one new event a user, earlier ones as cached keys and values.

An event's keys and values are written into the arena first and read back with those before it, so the newest
event is seen like any other, rounded as the arena rounds. The cache of a user is a ring: the event at
position p of the history lies in place p mod window. The step equals
:class:`~models.network.transformer.Transformer` over the whole history up to rounding.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from models.network.transformer import Block, Transformer

_UNSEEN: Final = -1e30
"""Added to the score of a place that holds no event of this history: its weight is then exactly zero."""


class Step(nn.Module):
    """``(codes, numbers, position, slot, *arenas)`` to ``(hidden, *arenas)``.

    ``codes`` int64 ``[users, 3]``, ``numbers`` ``[users, n]``, ``position`` int64 ``[users]`` (events before
    this one), ``slot`` int64 ``[users]``: the user's place in the arenas, no two alike. Of each layer an
    arena ``[slots * 2 * window, width]``, float32 or float16: a slot's keys, then its values. ``hidden``
    ``[users, width]``; the arenas come back with the events' keys and values in them.
    """

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.transformer = transformer
        size = transformer.size
        self.heads, self.window, self.width = size.heads, size.window, size.width
        of_head = torch.arange(self.width) // (self.width // self.heads)
        # Row h keeps the columns of head h: all heads of a user share one matrix product.
        self.head_columns = nn.Buffer((of_head[None, :] == torch.arange(self.heads)[:, None]).float())

    def forward(
        self, codes: Tensor, numbers: Tensor, position: Tensor, slot: Tensor, *arenas: Tensor
    ) -> tuple[Tensor, ...]:
        """See the class."""
        key_row = slot * (2 * self.window) + position % self.window
        rows = torch.stack([key_row, key_row + self.window], dim=1)
        stream = self.transformer.embedding(codes, numbers)
        written: list[Tensor] = []
        for module, before in zip(self.transformer.blocks, arenas, strict=True):
            block = cast(Block, module)
            projected = block.query_key_value(block.attention_norm(stream))
            query, key_value = projected.split([self.width, 2 * self.width], dim=-1)
            arena = before.index_put((rows,), key_value.reshape(-1, 2, self.width).to(before.dtype))
            rings = arena.reshape(-1, self.window, self.width)
            keys, values = rings[2 * slot].float(), rings[2 * slot + 1].float()
            bias = biases(block)[bias_row(position, self.window)]
            queries = (query * (self.width // self.heads) ** -0.5)[:, None, :] * self.head_columns
            weights = torch.softmax(queries @ keys.transpose(1, 2) + bias, dim=-1)
            mixed = ((weights @ values) * self.head_columns).sum(1)
            stream = stream + block.attention_out(mixed)
            stream = stream + block.feed_forward(stream)
            written += [arena]
        return (self.transformer.norm(stream), *written)


def biases(block: Block) -> Tensor:
    """What is added to the scores of a ring's places ``[2 * window, heads, window]``.

    Row p is for an event at position p of a history that does not fill the ring yet, row ``window`` + r for
    one in place r of a full ring: a look-up instead of a rotation and a comparison for each event.
    """
    window = block.age_bias.shape[1]
    places = torch.arange(window)
    ages = (places[:, None] - places) % window
    of_age = block.age_bias.detach()[:, ages].transpose(0, 1)
    filling = of_age.masked_fill((ages > places[:, None])[:, None, :], _UNSEEN)
    return torch.cat([filling, of_age]).contiguous()


def bias_row(position: Tensor, window: int) -> Tensor:
    """The row of :func:`biases` for events at ``position``."""
    return torch.where(position < window, position, position % window + window)
