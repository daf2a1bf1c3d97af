"""The transformer in the form that is served: one new event a user, earlier ones as cached keys and values.

The cache of a user is a ring: the event at position p of the history lies in slot p mod window, so only
one row a layer changes with an event. The step equals :class:`~models.transformer.Transformer` over the
whole history up to rounding.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.transformer import Block, Transformer


class Step(nn.Module):
    """``(codes, numbers, position, slot, arena)`` to ``(hidden, rows)``.

    ``codes`` int64 ``[users, 3]``, ``numbers`` ``[users, n]``, ``position`` int64 ``[users]`` (events
    before this one), ``slot`` int64 ``[users]``: the user's place in ``arena`` ``[slots, layers, 2,
    window, width]``. ``hidden`` ``[users, width]``; ``rows`` ``[users, layers, 2, width]``: the event's
    keys and values, which the caller writes into the arena at ``position`` mod ``window``.
    """

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.transformer = transformer
        size = transformer.size
        self.heads, self.window, self.width = size.heads, size.window, size.width
        slots = torch.arange(self.window)
        # Row r: the age of each slot's event while the newest event is in slot r.
        self.ages = nn.Buffer((slots[:, None] - slots[None, :]) % self.window)
        of_head = torch.arange(self.width) // (self.width // self.heads)
        # Row h keeps the columns of head h: all heads of a user share one matrix product.
        self.head_columns = nn.Buffer((of_head[None, :] == torch.arange(self.heads)[:, None]).float())

    def forward(
        self, codes: Tensor, numbers: Tensor, position: Tensor, slot: Tensor, arena: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        newest = position % self.window
        ages = self.ages[newest]
        cached = ((ages > 0) & (ages <= position[:, None]))[:, None, :]
        own = (ages == 0)[:, None, :]
        caches = arena.reshape(-1, self.window, self.width)
        layers = len(self.transformer.blocks)
        stream = self.transformer.embedding(codes, numbers)
        rows: list[Tensor] = []
        for layer, module in enumerate(self.transformer.blocks):
            block = cast(Block, module)
            keys = caches[slot * (2 * layers) + 2 * layer]
            values = caches[slot * (2 * layers) + 2 * layer + 1]
            # One row of biases for each place of the newest slot: a look-up instead of a rotation.
            bias = block.age_bias.detach()[:, self.ages].transpose(0, 1).contiguous()[newest]
            query, key, value = block.query_key_value(block.attention_norm(stream)).split(self.width, dim=-1)
            weights = self._weights(query, key, keys, bias, cached, own)
            mixed = self._mix(weights, value, values, cached, own)
            stream = stream + block.attention_out(mixed)
            stream = stream + block.feed_forward(stream)
            rows += [key, value]
        return self.transformer.norm(stream), torch.cat(rows, dim=-1).reshape(-1, layers, 2, self.width)

    def _weights(
        self, query: Tensor, key: Tensor, keys: Tensor, bias: Tensor, cached: Tensor, own: Tensor
    ) -> Tensor:
        """Attention weights ``[users, heads, window]``.

        The newest event's own slot still holds the event that it replaces; its score takes that place.
        """
        queries = (query * (self.width // self.heads) ** -0.5)[:, None, :] * self.head_columns
        own_score = (queries * key[:, None, :]).sum(-1, keepdim=True)
        scores = torch.where(own, own_score, queries @ keys.transpose(1, 2)) + bias
        return torch.softmax(torch.where(cached | own, scores, -1e30), dim=-1)

    def _mix(self, weights: Tensor, value: Tensor, values: Tensor, cached: Tensor, own: Tensor) -> Tensor:
        """Weighted sum of values ``[users, width]``.

        Slots without an event of this history count exactly zero times, whatever an evicted user left there.
        """
        own_weight = torch.where(own, weights, 0.0).sum(-1, keepdim=True)
        mixed = torch.where(cached, weights, 0.0) @ values + own_weight * value[:, None, :]
        return (mixed * self.head_columns).sum(1)
