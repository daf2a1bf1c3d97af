"""The heads of a bundle that alerts ask, together: what the alert graph is made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.heads.next_event import NextCategory, NextType
from models.heads.spend import Spend


class Heads(nn.Module):
    """``(hidden, features, recent)`` to ``(spend, types, categories)``.

    ``recent`` int64 ``[users, tokens, 2]`` of :func:`~streamer.core.model.alert_inputs.recent_codes`.
    ``spend`` ``[users]``: expected within the horizon, 0 where no amounts were known; ``types`` and
    ``categories`` ``[users, n]``: probabilities of the next event's.
    """

    def __init__(self, spend: Spend | None, next_type: NextType, next_category: NextCategory) -> None:
        super().__init__()
        self.spend = spend
        self.next_type = next_type
        self.next_category = next_category

    def forward(self, hidden: Tensor, features: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        spend = hidden[:, 0] * 0.0 + features[:, 0] * 0.0
        if self.spend is not None:
            spend = self.spend.expected(hidden, features)
        types = torch.softmax(self.next_type(hidden, recent[:, :, 0]), dim=1)
        return spend, types, torch.exp(self.next_category(hidden, recent[:, :, 1]))
