"""The transformer over a user's events, in the form that is trained: all events of a batch of users at once.

Pre-norm blocks; an event attends to itself and the ``window - 1`` events before it. Order enters only
through a learned bias by age in events, so a cache of keys and values never has to be moved on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.configuration import Size
from schemas.event import EVENT_TYPES
from streamer.core.transformer_inputs import NUMBERS


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

    def forward(self, stream: Tensor, ages: Tensor) -> Tensor:
        """``stream`` ``[users, events, width]``; ``ages`` ``[events, events]``: of column against row."""
        users, events, width = stream.shape
        heads, window = self.age_bias.shape
        packed = self.query_key_value(self.attention_norm(stream))
        query, key, value = packed.view(users, events, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        visible = (ages >= 0) & (ages < window)
        bias = self.age_bias[:, ages.clamp(0, window - 1)].masked_fill(~visible, -torch.inf)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        stream = stream + self.attention_out(mixed.transpose(1, 2).reshape(users, events, width))
        return stream + self.feed_forward(stream)


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
        places = torch.arange(codes.shape[1])
        ages = places[:, None] - places[None, :]
        stream = self.embedding(codes, numbers)
        for block in self.blocks:
            stream = block(stream, ages)
        return self.norm(stream)
