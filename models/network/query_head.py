"""The query head: the risk of a user, asked at any moment of silence.

Features enter twice, standardised and piecewise-linear over their quantiles (Gorishniy et al., "On
Embeddings for Numerical Features in Tabular Deep Learning", 2022), and lead to hazards over the time to
the next event of the churn kind through a small network and a linear path beside it. The transformer's
hidden vector enters both; its weights begin at zero, and where they stay there the sequence has no say.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

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


class QueryHead(nn.Module):
    """``(hidden, features)`` to the logits of the hazards, ``[queries, BINS]``."""

    def __init__(self, encoding: FeatureEncoding, size: Size, dropout: float, hazards: Tensor) -> None:
        super().__init__()
        self.encoding = encoding
        self.inner = nn.Linear(encoding.outputs, size.head_width)
        self.network = nn.Sequential(
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, size.head_width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size.head_width, BINS),
        )
        self.linear = nn.Linear(encoding.outputs, BINS)
        self.hidden_inner = nn.Linear(size.width, size.head_width, bias=False)
        self.hidden_linear = nn.Linear(size.width, BINS, bias=False)
        for begins_at_zero in (self.linear, self.hidden_inner, self.hidden_linear):
            nn.init.zeros_(begins_at_zero.weight)
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(hazards))

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """See the class."""
        encoded = self.encoding(features)
        inner = self.inner(encoded) + self.hidden_inner(hidden)
        return self.network(inner) + self.linear(encoded) + self.hidden_linear(hidden)

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


class Query(nn.Module):
    """The graph that is served: ``(hidden, features)`` to the calibrated ``probability`` ``[queries]``."""

    def __init__(self, head: QueryHead, slope: float, intercept: float) -> None:
        super().__init__()
        self.head = head
        self.slope = nn.Buffer(torch.tensor(slope))
        self.intercept = nn.Buffer(torch.tensor(intercept))

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """See the class."""
        return torch.sigmoid(survival_logit(self.head(hidden, features)) * self.slope + self.intercept)
