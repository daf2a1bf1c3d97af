"""The cache of a user from the last tokens at once: what stepping through them gives, in one run.

Layer by layer only the events are computed that the layer above still needs. Sums are taken in the very
order in which :class:`~models.step.Step` takes them, over the slots of the ring: a run of slots 0 to
window - 1 covers events of two turns of the ring, so every product is over two turns laid side by side, the
newer one first, with weights of exactly zero where a slot's event lies in the other turn.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.transformer import Block, Transformer

_LEAST_ROWS = 2
"""A product of a single row goes through another kernel, which rounds otherwise."""


class Rebuild(nn.Module):
    """``(codes, numbers, count, position)`` to ``(hidden, cache)``.

    ``codes`` int64 ``[users, tokens, 3]`` and ``numbers`` ``[users, tokens, n]``: the last
    ``Size.rebuild_tokens`` tokens of each user, the newest last; of those only the last ``count`` (int64
    ``[users]``, 1 at least) are there. ``position`` int64 ``[users]``: events before the newest. ``hidden``
    ``[users, width]``; ``cache`` ``[users, layers, 2, window, width]``: the user's place in the arena.
    """

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.transformer = transformer
        size = transformer.size
        self.heads, self.window, self.width = size.heads, size.window, size.width
        self.tokens = size.rebuild_tokens
        slots = torch.arange(self.window)
        self.slots = nn.Buffer(slots)
        # Row r: the age of each slot's event while the newest event is in slot r.
        self.ages = nn.Buffer((slots[:, None] - slots[None, :]) % self.window)

    def forward(
        self, codes: Tensor, numbers: Tensor, count: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        width = self.width
        stream = self.transformer.embedding(codes.reshape(-1, 3), numbers.reshape(-1, numbers.shape[2]))
        rows, layers = self.tokens, len(self.transformer.blocks)
        caches: list[Tensor] = []
        for layer, module in enumerate(self.transformer.blocks):
            block = cast(Block, module)
            above = (layers - 1 - layer) * (self.window - 1) + 1
            asked = max(above, _LEAST_ROWS)
            normed = block.attention_norm(stream)
            weight, bias = block.query_key_value.weight, block.query_key_value.bias
            key_value = nn.functional.linear(normed, weight[width:], bias[width:])
            newest = _newest(stream, rows, asked)
            query = nn.functional.linear(_newest(normed, rows, asked), weight[:width], bias[:width])
            turns = self._turns(key_value, rows, count, position)
            caches += [self._cache(turns, position)]
            own = _newest(key_value, rows, asked)
            mixed = self._attend(block, query, own, turns, asked, position)
            stream = newest + block.attention_out(mixed)
            stream = stream + block.feed_forward(stream)
            rows = asked
        hidden = self.transformer.norm(_newest(stream, rows, 1))
        return hidden, torch.cat(caches, dim=1)

    def _turns(self, key_value: Tensor, rows: int, count: Tensor, position: Tensor) -> Tensor:
        """Keys and values by turn of the ring and slot ``[users, turns * window, 2 * width]``.

        The newest turn comes first; zeros stand where there is no event.
        """
        turns = -(-(rows - 1) // self.window) + 1
        places = torch.arange(turns * self.window)
        before = (places // self.window) * self.window - places % self.window
        ages = (position % self.window)[:, None] + before
        there = (ages >= 0) & (ages < rows) & (ages < count[:, None])
        users = torch.arange(count.shape[0])[:, None]
        at = users * rows + torch.where(there, rows - 1 - ages, 0)
        return torch.where(there[:, :, None], key_value[at], 0.0)

    def _cache(self, turns: Tensor, position: Tensor) -> Tensor:
        """One layer's rows of the arena ``[users, 1, 2, window, width]``."""
        newer, older = turns[:, : self.window], turns[:, self.window : 2 * self.window]
        in_newer = (self.slots <= (position % self.window)[:, None])[:, :, None]
        ring = torch.where(in_newer, newer, older)
        return ring.reshape(-1, self.window, 2, self.width).transpose(1, 2)[:, None]

    def _attend(
        self, block: Block, query: Tensor, own: Tensor, turns: Tensor, asked: int, position: Tensor
    ) -> Tensor:
        """What each user's ``asked`` newest events take from those before, ``[users * asked, width]``."""
        heads, window, of_head = self.heads, self.window, self.width // self.heads
        count = turns.shape[1] // window
        positions = position[:, None] - torch.arange(asked - 1, -1, -1)
        slot = positions % window
        turn = torch.div(position, window, rounding_mode="floor")[:, None] - torch.div(
            positions, window, rounding_mode="floor"
        )
        ages = self.ages[slot]
        cached = ((ages > 0) & (ages <= positions[:, :, None]))[:, None]
        itself = (ages == 0)[:, None]
        newer = (self.slots <= slot[:, :, None])[:, None]
        of_turn = [(turn == number)[:, None, :, None] for number in range(count - 1)]

        scaled = query * of_head**-0.5
        own_key, own_value = own.split(self.width, dim=1)
        own_score = (scaled * own_key).reshape(-1, asked, heads, of_head).sum(-1).transpose(1, 2)[..., None]
        keys, values = turns.split(self.width, dim=2)
        by_head = (-1, count * window, heads, of_head)
        queries = scaled.reshape(-1, asked, heads, of_head).transpose(1, 2)
        products = queries @ keys.reshape(by_head).permute(0, 2, 3, 1)
        parts = products.split(window, dim=-1)
        scores = torch.where(newer, parts[0], parts[1])
        for number in range(1, count - 1):
            scores = torch.where(
                of_turn[number], torch.where(newer, parts[number], parts[number + 1]), scores
            )
        bias = block.age_bias.detach()[:, self.ages].transpose(0, 1).contiguous()[slot].transpose(1, 2)
        scores = torch.where(itself, own_score, scores) + bias
        weights = torch.softmax(torch.where(cached | itself, scores, -1e30), dim=-1)

        own_weight = (weights * itself.float()).sum(-1, keepdim=True)
        by_slot = values.reshape(by_head).transpose(1, 2)
        twice = torch.cat([weights, weights], dim=-1)
        taken = own_weight * own_value.reshape(-1, asked, heads, of_head).transpose(1, 2)
        for number, asking in enumerate(of_turn):
            counts = torch.cat([asking & cached & newer, asking & cached & ~newer], dim=-1).float()
            taken = (twice * counts) @ by_slot[:, :, number * window : (number + 2) * window] + taken
        return taken.transpose(1, 2).reshape(-1, self.width)


def _newest(rows: Tensor, of_user: int, kept: int) -> Tensor:
    """The last ``kept`` of each user's ``of_user`` rows ``[users * of_user, n]``."""
    return rows.reshape(-1, of_user, rows.shape[1])[:, of_user - kept :].reshape(-1, rows.shape[1])
