"""The query head: the risk of a user, asked at any moment of silence.

Features enter twice, standardised and piecewise-linear over their quantiles (Gorishniy et al., "On
Embeddings for Numerical Features in Tabular Deep Learning", 2022), and lead to hazards over the time to
the next event of the churn kind through a small network and a linear path beside it. The transformer's
hidden vector enters both; its weights begin at zero, and where they stay there the sequence has no say.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.network.spending import expected_spend
from models.recipe import BIN_EDGES, BINS_WITHIN_HORIZON, Size
from streamer.core.model.features import FEATURES

BINS: Final = len(BIN_EDGES) + 1


class FeatureEncoding(nn.Module):
    """The features ``columns`` of ``[queries, n]`` to ``[queries, columns * (1 + quantiles)]``.

    Its constants come from ``features``, those of the training data.
    """

    def __init__(
        self, features: npt.NDArray[np.float32], columns: npt.NDArray[np.int64], quantiles: int
    ) -> None:
        super().__init__()
        features = features[:, columns]
        lowest, highest = np.quantile(features, (0.001, 0.999), axis=0)
        kept = np.clip(features, lowest, highest)
        edges = np.quantile(kept, np.linspace(0.0, 1.0, quantiles + 1), axis=0).T
        widths = np.diff(edges, axis=1)
        # A piece that many equal values have shrunk to nothing becomes a step at its edge.
        slopes = 1.0 / np.maximum(widths, 1e-4)
        constants = {
            "lowest": lowest,
            "highest": highest,
            "mean": kept.mean(axis=0),
            "scale": 1.0 / np.maximum(kept.std(axis=0), 1e-4),
            "slopes": slopes,
            "offsets": -edges[:, :-1] * slopes,
        }
        for name, values in constants.items():
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))
        self.register_buffer("columns", torch.from_numpy(columns))

    @property
    def outputs(self) -> int:
        """Length of an encoded row."""
        slopes = self.get_buffer("slopes")
        return slopes.shape[0] * (1 + slopes.shape[1])

    def forward(self, features: Tensor) -> Tensor:
        """See the class; what lies outside the training data's range counts as its edge."""
        kept = features.index_select(1, self.get_buffer("columns"))
        kept = torch.clamp(kept, self.get_buffer("lowest"), self.get_buffer("highest"))
        standard = (kept - self.get_buffer("mean")) * self.get_buffer("scale")
        pieces = kept[:, :, None] * self.get_buffer("slopes") + self.get_buffer("offsets")
        return torch.cat([standard, torch.clamp(pieces, 0.0, 1.0).flatten(1)], dim=1)


class DeclineStart(NamedTuple):
    """Where training begins: the share who declined, the share who spent, and their amounts' logarithms."""

    declined: float
    spent: float
    log_mean: float
    log_deviation: float


class QueryHead(nn.Module):
    """``(hidden, features)`` to ``[queries, outputs]``: the logits of the hazards, ``BINS`` of them.

    With ``decline`` three more follow: the log odds of a decline within the window, those of spending
    anything in it, and the mean logarithm of what is spent.
    """

    def __init__(
        self,
        encoding: FeatureEncoding,
        size: Size,
        dropout: float,
        hazards: Tensor,
        decline: DeclineStart | None = None,
    ) -> None:
        super().__init__()
        outputs = BINS if decline is None else BINS + 3
        bias = torch.logit(hazards)
        self.log_width: nn.Parameter | None = None
        if decline is not None:
            starts = torch.tensor([decline.declined, decline.spent]).clamp(1e-3, 1 - 1e-3)
            bias = torch.cat([bias, torch.logit(starts), torch.tensor([decline.log_mean])])
            width = min(max(decline.log_deviation, 0.1), 3.0)
            self.log_width = nn.Parameter(torch.tensor(math.log(width)))
        self.encoding = encoding
        self.inner = nn.Linear(encoding.outputs, size.head_width)
        self.network = nn.Sequential(
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, size.head_width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, outputs),
        )
        self.linear = nn.Linear(encoding.outputs, outputs)
        self.hidden_inner = nn.Linear(size.width, size.head_width, bias=False)
        self.hidden_linear = nn.Linear(size.width, outputs, bias=False)
        for begins_at_zero in (self.linear, self.hidden_inner, self.hidden_linear):
            nn.init.zeros_(begins_at_zero.weight)
        with torch.no_grad():
            self.linear.bias.copy_(bias)

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """See the class."""
        encoded = self.encoding(features)
        inner = self.inner(encoded) + self.hidden_inner(hidden)
        return self.network(inner) + self.linear(encoded) + self.hidden_linear(hidden)

    @property
    def outputs(self) -> int:
        """How many there are for a query."""
        return BINS if self.log_width is None else BINS + 3

    @property
    def features(self) -> tuple[str, ...]:
        """Names of those that it listens to."""
        return tuple(FEATURES[column] for column in self.encoding.get_buffer("columns").tolist())

    @property
    def uses_hidden(self) -> bool:
        """Whether the hidden vector has any say."""
        return bool(self.hidden_inner.weight.any() or self.hidden_linear.weight.any())


def survival_logit(hazard_logits: Tensor) -> Tensor:
    """Log odds ``[queries]`` that no event of the churn kind comes within the horizon."""
    total = nn.functional.softplus(hazard_logits[:, :BINS_WITHIN_HORIZON]).sum(1)
    return -total - torch.log(1.0 - torch.exp(-total) + 1e-12)


def foretold_spend(head: QueryHead, outputs: Tensor) -> Tensor:
    """Expected amounts ``[queries]``, of a ``head`` that foretells decline."""
    assert head.log_width is not None
    return expected_spend(outputs[:, BINS + 1], outputs[:, BINS + 2], head.log_width)


class Query(nn.Module):
    """The graph that is served: ``(hidden, features)`` to the calibrated ``probability`` ``[queries]``.

    Of a head that foretells decline two more follow: its calibrated probability, and the expected ``spend``
    within the window. ``absence`` and ``decline``: slope and intercept of each; ``spend``: what amounts are
    multiplied with.
    """

    def __init__(
        self,
        head: QueryHead,
        absence: tuple[float, float],
        decline: tuple[float, float] | None = None,
        spend: float = 1.0,
    ) -> None:
        super().__init__()
        self.head = head
        self.absence_level = nn.Buffer(torch.tensor(absence))
        self.decline_level = nn.Buffer(torch.tensor(decline or (1.0, 0.0)))
        self.spend_level = nn.Buffer(torch.tensor(spend))

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        outputs = self.head(hidden, features)
        probability = torch.sigmoid(survival_logit(outputs) * self.absence_level[0] + self.absence_level[1])
        if self.head.log_width is None:
            return probability
        decline = torch.sigmoid(outputs[:, BINS] * self.decline_level[0] + self.decline_level[1])
        return probability, decline, self.spend_level * foretold_spend(self.head, outputs)
