"""The transformer over a user's events, in the form that is trained: all events of a batch of users at once.

Pre-norm blocks; an event attends to itself and the ``window - 1`` events before it. Order enters only
through a learned bias by age in events, so a cache of keys and values never has to be moved on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.recipe import Size
from schemas.event import EVENT_TYPES
from streamer.core.model.transformer_inputs import NUMBERS


class EventEmbedding(nn.Module):
    """Sum of the embeddings of type, category bucket and item bucket, and a linear map of the numbers."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.types = nn.Embedding(len(EVENT_TYPES), size.width)
        self.categories = nn.Embedding(size.category_buckets, size.width)
        self.items = nn.Embedding(size.item_buckets, size.width)
        self.numbers = nn.Linear(len(NUMBERS), size.width)
        for table in (self.types, self.categories, self.items):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """``codes`` ``[..., 3]`` and ``numbers`` ``[..., len(NUMBERS)]`` to ``[..., width]``."""
        embedded = self.types(codes[..., 0]) + self.categories(codes[..., 1]) + self.items(codes[..., 2])
        return embedded + self.numbers(numbers)


class Block(nn.Module):
    """One pre-norm layer of attention and feed-forward network."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(size.width)
        self.query_key_value = nn.Linear(size.width, 3 * size.width)
        self.age_bias = nn.Parameter(torch.zeros(size.heads, size.window))
        self.attention_out = nn.Linear(size.width, size.width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(size.width),
            nn.Linear(size.width, 4 * size.width),
            nn.GELU(),
            nn.Linear(4 * size.width, size.width),
        )

    def forward(self, stream: Tensor) -> Tensor:
        """``stream`` ``[users, events, width]``."""
        stream = stream + self.attention_out(self._attend(self.attention_norm(stream)))
        return stream + self.feed_forward(stream)

    def _attend(self, stream: Tensor) -> Tensor:
        """Attention in blocks of a window: what a block sees lies within it and the block before.

        Its cost grows with the events, not with their square. Short histories are one block.
        """
        users, events, width = stream.shape
        heads, window = self.age_bias.shape
        length = events if events <= 2 * window else window
        blocks = -(-events // length)
        packed = nn.functional.pad(self.query_key_value(stream), (0, 0, 0, blocks * length - events))
        packed = packed.view(users, blocks, length, 3, heads, width // heads)
        query, key, value = packed.permute(3, 0, 1, 4, 2, 5)
        ages = torch.arange(length)[:, None] - torch.arange(length)
        if blocks > 1:
            key, value = _after_the_one_before(key), _after_the_one_before(value)
            ages = torch.cat([ages + length, ages], dim=1)
        visible = (ages >= 0) & (ages < window)
        bias = self.age_bias[:, ages.clamp(0, window - 1)].masked_fill(~visible, -torch.inf)
        scores = query @ key.transpose(-1, -2) * (width // heads) ** -0.5 + bias
        if blocks > 1:
            scores[:, 0, :, :, :length] = -torch.inf
        mixed = (torch.softmax(scores, dim=-1) @ value).permute(0, 1, 3, 2, 4)
        return mixed.reshape(users, blocks * length, width)[:, :events]


class Transformer(nn.Module):
    """Events to hidden vectors, one after each event."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.embedding = EventEmbedding(size)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """``codes`` ``[users, events, 3]``, ``numbers`` ``[users, events, n]`` to ``[users, events, width]``.

        Histories are aligned at their first event; what is padded after their last changes nothing before.
        """
        stream = self.embedding(codes, numbers)
        for block in self.blocks:
            stream = block(stream)
        return self.norm(stream)


def _after_the_one_before(blocks: Tensor) -> Tensor:
    """Each of ``[users, blocks, heads, length, n]`` behind its predecessor, zeros before the first."""
    before = torch.cat([torch.zeros_like(blocks[:, :1]), blocks[:, :-1]], dim=1)
    return torch.cat([before, blocks], dim=3)
