"""The cache of a user from the last tokens at once: what stepping through them gives, in one run.

Layer by layer only the events are computed that the layer above still needs. Sums are taken in the very order
in which :class:`~models.network.step.Step` takes them, over the places of the ring: a run of places 0 to
window - 1 covers events of two turns of the ring, so every product is over two turns laid side by side, the
newer one first, with weights of exactly zero where a place's event lies in the other turn. Keys and values
are rounded as the arena rounds them before anything reads them.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.network.step import bias_row, biases
from models.network.transformer import Block, Transformer

_LEAST_ROWS = 2
"""A product of a single row goes through another kernel, which rounds otherwise."""


class Rebuild(nn.Module):
    """``(codes, numbers, count, position, slot, *arenas)`` to ``(hidden, *arenas)``.

    ``codes`` int64 ``[users, tokens, 3]`` and ``numbers`` ``[users, tokens, n]``: the last
    ``Size.rebuild_tokens`` tokens of each user, the newest last; of those only the last ``count`` (int64
    ``[users]``, 1 at least) are there. ``position`` int64 ``[users]``: events before the newest. ``slot`` and
    the arenas are those of :class:`~models.network.step.Step`; the slots are filled whole, with zeros for no
    event.
    """

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.transformer = transformer
        size = transformer.size
        self.heads, self.window, self.width = size.heads, size.window, size.width
        self.tokens = size.rebuild_tokens
        self.places = nn.Buffer(torch.arange(self.window))

    def forward(
        self,
        codes: Tensor,
        numbers: Tensor,
        count: Tensor,
        position: Tensor,
        slot: Tensor,
        *arenas: Tensor,
    ) -> tuple[Tensor, ...]:
        """See the class."""
        width = self.width
        stream = self.transformer.embedding(codes.reshape(-1, 3), numbers.reshape(-1, numbers.shape[2]))
        rows, layers = self.tokens, len(self.transformer.blocks)
        slot_rows = slot[:, None] * (2 * self.window) + torch.arange(2 * self.window)
        written: list[Tensor] = []
        for layer, (module, arena) in enumerate(zip(self.transformer.blocks, arenas, strict=True)):
            block = cast(Block, module)
            above = (layers - 1 - layer) * (self.window - 1) + 1
            asked = max(above, _LEAST_ROWS)
            normed = block.attention_norm(stream)
            weight, bias = block.query_key_value.weight, block.query_key_value.bias
            key_value = nn.functional.linear(normed, weight[width:], bias[width:]).to(arena.dtype)
            newest = _newest(stream, rows, asked)
            query = nn.functional.linear(_newest(normed, rows, asked), weight[:width], bias[:width])
            turns = self._turns(key_value.float(), rows, count, position)
            rings = self._rings(turns, position).to(arena.dtype)
            written += [arena.index_put((slot_rows,), rings.reshape(-1, 2 * self.window, width))]
            stream = newest + block.attention_out(self._attend(block, query, turns, asked, position))
            stream = stream + block.feed_forward(stream)
            rows = asked
        return (self.transformer.norm(_newest(stream, rows, 1)), *written)

    def _turns(self, key_value: Tensor, rows: int, count: Tensor, position: Tensor) -> Tensor:
        """Keys and values by turn of the ring and place ``[users, turns * window, 2 * width]``.

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

    def _rings(self, turns: Tensor, position: Tensor) -> Tensor:
        """One layer's keys and values as a slot holds them ``[users, 2, window, width]``."""
        newer, older = turns[:, : self.window], turns[:, self.window : 2 * self.window]
        in_newer = (self.places <= (position % self.window)[:, None])[:, :, None]
        ring = torch.where(in_newer, newer, older)
        return ring.reshape(-1, self.window, 2, self.width).transpose(1, 2)

    def _attend(self, block: Block, query: Tensor, turns: Tensor, asked: int, position: Tensor) -> Tensor:
        """What each user's ``asked`` newest events take from the ring, ``[users * asked, width]``."""
        heads, window, of_head = self.heads, self.window, self.width // self.heads
        count = turns.shape[1] // window
        positions = position[:, None] - torch.arange(asked - 1, -1, -1)
        turn = torch.div(position, window, rounding_mode="floor")[:, None] - torch.div(
            positions, window, rounding_mode="floor"
        )
        newer = (self.places <= (positions % window)[:, :, None])[:, None]
        of_turn = [(turn == number)[:, None, :, None] for number in range(count - 1)]

        keys, values = turns.split(self.width, dim=2)
        by_head = (-1, count * window, heads, of_head)
        queries = (query * of_head**-0.5).reshape(-1, asked, heads, of_head).transpose(1, 2)
        products = queries @ keys.reshape(by_head).permute(0, 2, 3, 1)
        parts = products.split(window, dim=-1)
        scores = torch.where(newer, parts[0], parts[1])
        for number in range(1, count - 1):
            scores = torch.where(
                of_turn[number], torch.where(newer, parts[number], parts[number + 1]), scores
            )
        # Rows before a user's first event are computed too, and read by nobody.
        bias = biases(block)[bias_row(positions.clamp(min=0), window)].transpose(1, 2)
        weights = torch.softmax(scores + bias, dim=-1)

        by_place = values.reshape(by_head).transpose(1, 2)
        twice = torch.cat([weights, weights], dim=-1)
        taken: list[Tensor] = []
        for number, asking in enumerate(of_turn):
            counts = torch.cat([asking & newer, asking & ~newer], dim=-1).float()
            taken += [(twice * counts) @ by_place[:, :, number * window : (number + 2) * window]]
        return sum(taken[1:], taken[0]).transpose(1, 2).reshape(-1, self.width)


def _newest(rows: Tensor, of_user: int, kept: int) -> Tensor:
    """The last ``kept`` of each user's ``of_user`` rows ``[users * of_user, n]``."""
    return rows.reshape(-1, of_user, rows.shape[1])[:, of_user - kept :].reshape(-1, rows.shape[1])
