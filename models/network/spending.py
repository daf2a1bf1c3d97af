"""What is spent: nothing, or a log-normal amount.

Source: Wang, Liu and Miao, "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019; with
one width of the log-normal for all users, since a width of each user's own makes the mean the sport of a
few large amounts.

``some`` ``[users]``: log odds of spending at all. ``log_mean`` ``[users]``: mean logarithm of the amount.
``log_width``: logarithm of its deviation, of all.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

LARGEST_LOG: Final = 34.0
"""Of an amount: beyond the largest that an event may carry."""


def expected_spend(some: Tensor, log_mean: Tensor, log_width: Tensor) -> Tensor:
    """Expected amounts ``[users]``."""
    log_expected = logsigmoid(some) + log_mean + 0.5 * torch.exp(2.0 * log_width)
    return torch.exp(log_expected.clamp(max=LARGEST_LOG))


def spend_losses(some: Tensor, log_mean: Tensor, log_width: Tensor, amounts: Tensor) -> Tensor:
    """Negative log likelihood of each of ``amounts`` ``[users]``, none below 0."""
    spent = (amounts > 0).float()
    off = (torch.log(amounts.clamp(min=1e-3)) - log_mean) * torch.exp(-log_width)
    amount = log_width + 0.5 * off * off
    return binary_cross_entropy_with_logits(some, spent, reduction="none") + spent * amount
