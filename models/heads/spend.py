"""What a user will spend within the horizon: nothing, or a log-normal amount.

Source: Wang, Liu and Miao, "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019; with
one width of the log-normal for all users, since a width of each user's own makes the mean the sport of a
few large amounts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from models.network.query_head import LARGEST_LOG, FeatureEncoding
from models.recipe import Size


class Spend(nn.Module):
    """``(hidden, features)`` to ``[users, 2]``: log odds of spending at all, and the mean log of the amount.

    ``amounts`` ``[examples]``: what training saw being spent, where it begins from. Weights of the hidden
    vector begin at zero; where they stay there the sequence has no say.
    """

    def __init__(self, encoding: FeatureEncoding, size: Size, dropout: float, amounts: Tensor) -> None:
        super().__init__()
        self.encoding = encoding
        inputs = encoding.outputs
        self.inner = nn.Linear(inputs, size.head_width)
        self.network = nn.Sequential(
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, size.head_width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, 2),
        )
        self.linear = nn.Linear(inputs, 2)
        self.hidden_inner = nn.Linear(size.width, size.head_width, bias=False)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.hidden_inner.weight)
        spent = amounts[amounts > 0]
        share = torch.tensor(len(spent) / len(amounts)).clamp(1e-3, 1 - 1e-3)
        with torch.no_grad():
            self.linear.bias.copy_(torch.stack([torch.logit(share), spent.log().mean()]))
        self.log_width = nn.Parameter(spent.log().std().clamp(0.1, 3.0).log())
        self.scale = nn.Buffer(torch.tensor(1.0))

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """See the class."""
        encoded = self.encoding(features)
        return self.network(self.inner(encoded) + self.hidden_inner(hidden)) + self.linear(encoded)

    def expected(self, hidden: Tensor, features: Tensor) -> Tensor:
        """Expected amounts ``[users]``, times ``scale``, which makes the validation cuts' total right."""
        some, log_mean = self(hidden, features).unbind(1)
        log_expected = logsigmoid(some) + log_mean + 0.5 * torch.exp(2.0 * self.log_width)
        return self.scale * torch.exp(log_expected.clamp(max=LARGEST_LOG))

    def loss(self, hidden: Tensor, features: Tensor, amounts: Tensor) -> Tensor:
        """Negative log likelihood of ``amounts`` ``[users]``, none below 0; mean over users."""
        some, log_mean = self(hidden, features).unbind(1)
        spent = (amounts > 0).float()
        off = (torch.log(amounts.clamp(min=1e-3)) - log_mean) * torch.exp(-self.log_width)
        amount = self.log_width + 0.5 * off * off
        return binary_cross_entropy_with_logits(some, spent) + (spent * amount).mean()
