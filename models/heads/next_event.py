"""The next event's type and category, from the newest events themselves and the transformer's hidden vector.

How often a user's events of one type were followed by each type says more of the next one than a small
transformer learns by itself, so the probabilities begin there: the user's own transitions, shrunk to those of
all users (a Dirichlet prior whose weight is learnt), corrected by a small network. Categories repeat, so
theirs is a mixture of a softmax and of the user's newest categories (Merity et al., "Pointer Sentinel Mixture
Models", 2016). Weights of the hidden vector begin at zero; where they stay there the sequence has no say
beyond the types and categories themselves.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from models.recipe import Size
from schemas.event import EVENT_TYPES

TYPES: Final = len(EVENT_TYPES)

HALF_LIVES: Final = (2.0, 5.0, 15.0, 40.0, float("inf"))
"""In events: over which types are counted."""

NEWEST: Final = 4
"""Events whose types are told one by one."""

PRIOR_WEIGHT: Final = 15.0
"""Transitions that all users' count for in the beginning."""

LEAST_PROBABILITY: Final = 1e-7

WIDTH: Final = 64


class NextType(nn.Module):
    """``(hidden, types)`` to the log odds of the next event's type ``[users, TYPES]``.

    ``types`` int64 ``[users, tokens]``: of the newest events, the newest last,
    :data:`~streamer.core.model.alert_inputs.ABSENT` before the first. ``transitions`` ``[TYPES, TYPES]``: how
    often training saw each type (column) follow each (row).
    """

    def __init__(self, size: Size, transitions: Tensor, dropout: float) -> None:
        super().__init__()
        prior = transitions.sum(0) + 0.01
        smoothed = transitions + 10.0 * prior / prior.sum()
        self.transitions = nn.Parameter(torch.log(smoothed / smoothed.sum(1, keepdim=True)))
        self.weight = nn.Parameter(torch.full((TYPES,), PRIOR_WEIGHT).log())
        ages = torch.arange(size.rebuild_tokens - 1, -1, -1)
        self.decays = nn.Buffer(torch.stack([torch.exp2(-ages / half_life) for half_life in HALF_LIVES]))
        inputs = TYPES * (len(HALF_LIVES) + 1 + NEWEST)
        self.inner = nn.Linear(inputs, WIDTH)
        self.network = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(WIDTH, TYPES))
        self.linear = nn.Linear(inputs, TYPES)
        self.hidden_inner = nn.Linear(size.width, WIDTH, bias=False)
        self.hidden_linear = nn.Linear(size.width, TYPES, bias=False)
        last = cast(nn.Linear, self.network[-1])
        for begins_at_zero in (self.linear, last, self.hidden_inner, self.hidden_linear):
            nn.init.zeros_(begins_at_zero.weight)
        for begins_at_zero in (self.linear, last):
            nn.init.zeros_(begins_at_zero.bias)

    def forward(self, hidden: Tensor, types: Tensor) -> Tensor:
        """See the class."""
        seen = (types[:, :, None] == torch.arange(TYPES)).float()
        followed = (types[:, :-1] == types[:, -1:]).float()[:, None]
        own = (followed @ seen[:, 1:])[:, 0]
        newest = types[:, -1].clamp(min=0)
        weight = torch.exp(self.weight)[newest][:, None]
        usual = torch.softmax(self.transitions, dim=1)[newest]
        shrunk = (own + weight * usual) / (own.sum(1, keepdim=True) + weight)
        counts = self.decays @ seen
        inputs = torch.cat(
            [torch.log1p(counts).flatten(1), torch.log1p(own), seen[:, -NEWEST:].flatten(1)], dim=1
        )
        corrected = torch.log(shrunk + LEAST_PROBABILITY) + self.linear(inputs) + self.hidden_linear(hidden)
        return corrected + self.network(self.inner(inputs) + self.hidden_inner(hidden))


class NextCategory(nn.Module):
    """``(hidden, categories)`` to the log probability of the next event's category ``[users, buckets]``.

    ``categories`` int64 ``[users, tokens]``: the buckets of the newest events, 0 for none.
    ``counts`` ``[buckets]``: how often training saw each.
    """

    def __init__(self, size: Size, counts: Tensor) -> None:
        super().__init__()
        self.buckets = size.category_buckets
        self.fresh = nn.Parameter(torch.log((counts + 0.1) / (counts + 0.1).sum()))
        self.repeats = nn.Parameter(torch.zeros(1))
        self.hidden_fresh = nn.Linear(size.width, self.buckets, bias=False)
        self.hidden_repeats = nn.Linear(size.width, 1, bias=False)
        for begins_at_zero in (self.hidden_fresh, self.hidden_repeats):
            nn.init.zeros_(begins_at_zero.weight)
        ages = torch.arange(size.rebuild_tokens - 1, -1, -1)
        self.ages = nn.Parameter(-torch.log1p(ages.float()))

    def forward(self, hidden: Tensor, categories: Tensor) -> Tensor:
        """See the class."""
        known = categories > 0
        scores = torch.where(known, self.ages, -1e30)
        weights = torch.softmax(scores, dim=1) * known.float()
        repeated = torch.zeros(categories.shape[0], self.buckets).scatter_add(1, categories, weights)
        share = torch.sigmoid(self.repeats + self.hidden_repeats(hidden)) * known.any(1, keepdim=True).float()
        fresh = torch.softmax(self.fresh + self.hidden_fresh(hidden), dim=1)
        mixed = share * repeated + (1.0 - share) * fresh
        return torch.log(mixed + LEAST_PROBABILITY)
