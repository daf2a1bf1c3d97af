"""The rebuild in one run against stepping through the same tokens."""

from __future__ import annotations

import pytest
import torch

from models.network.rebuild import Rebuild
from models.network.step import Step
from models.network.transformer import Block, Transformer
from models.recipe import Size
from streamer.core.model.transformer_inputs import NUMBERS

SIZES = [
    Size(width=16, layers=layers, heads=2, window=8, category_buckets=5, item_buckets=7)
    for layers in (1, 2, 3)
]


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.layers} layers")
def test_a_rebuild_gives_the_cache_that_stepping_through_the_tokens_gives(size: Size) -> None:
    torch.manual_seed(0)
    transformer = Transformer(size).eval()
    for block in transformer.blocks:
        assert isinstance(block, Block)
        torch.nn.init.normal_(block.age_bias)
    step, rebuild = Step(transformer), Rebuild(transformer)
    # From a first event to far beyond a rebuild, and one ring that is shorter than its history.
    positions = [0, 1, 6, 7, 8, 14, 15, 21, 22, 23, 40, 67, 40]
    users, tokens = len(positions), size.rebuild_tokens
    counts = [min(position + 1, tokens) for position in positions[:-1]] + [3]
    codes = torch.stack([torch.randint(0, most, (users, tokens)) for most in (12, 5, 7)], dim=-1)
    numbers = torch.randn(users, tokens, len(NUMBERS))
    rows = users * 2 * size.window
    filled = [torch.randn(rows, size.width) for _ in range(size.layers)]
    hidden, *filled = rebuild(
        codes, numbers, torch.tensor(counts), torch.tensor(positions), torch.arange(users), *filled
    )
    arenas = [torch.zeros(rows, size.width) for _ in range(size.layers)]
    for user in range(users):
        stepped = torch.zeros(0)
        for back in range(counts[user], 0, -1):
            position = torch.tensor([positions[user] + 1 - back])
            stepped, *arenas = step(
                codes[user, -back][None], numbers[user, -back][None], position, torch.tensor([user]), *arenas
            )
        torch.testing.assert_close(hidden[user], stepped[0], atol=2e-6, rtol=1e-5)
    oldest = (torch.tensor(positions)[:, None] - torch.arange(size.window)) % size.window
    cache, arena = (
        torch.stack([layer.reshape(users, 2, size.window, size.width) for layer in layers], dim=1)
        for layers in (filled, arenas)
    )
    for user in range(users):
        # The oldest slot is written over before it is read again, and layers above may lack its context.
        read = oldest[user, : size.window - 1]
        torch.testing.assert_close(cache[user][:, :, read], arena[user][:, :, read], atol=2e-6, rtol=1e-5)
