"""What a user will spend within the horizon."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.network.query_head import FeatureEncoding
from models.network.spending import expected_spend, spend_losses
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
        return self.scale * expected_spend(some, log_mean, self.log_width)

    def loss(self, hidden: Tensor, features: Tensor, amounts: Tensor) -> Tensor:
        """Negative log likelihood of ``amounts`` ``[users]``, none below 0; mean over users."""
        some, log_mean = self(hidden, features).unbind(1)
        return spend_losses(some, log_mean, self.log_width, amounts).mean()
