"""The whole network: transformer, next-event heads, query head; and the losses that they are trained by."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid, smooth_l1_loss

from models.network.query_head import BINS, QueryHead, survival_logit
from models.network.spending import spend_losses
from models.network.transformer import Transformer
from models.recipe import Size
from schemas.event import EVENT_TYPES
from streamer.core.model.transformer_inputs import NUMBERS

DECLINE_WEIGHT: Final = 1.0
SPEND_WEIGHT: Final = 0.1
"""Of decline and of spending, beside the hazards' 1."""

_VALUE: Final = NUMBERS.index("value")
_GAP: Final = NUMBERS.index("gap")


class Network(nn.Module):
    """A container of what is trained; only transformer and head are served."""

    def __init__(self, transformer: Transformer, next_event: NextEvent, head: QueryHead) -> None:
        super().__init__()
        self.transformer = transformer
        self.next_event = next_event
        self.head = head


class NextEvent(nn.Module):
    """Predicts the user's next event: its type, category bucket, gap and value."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.types = nn.Linear(size.width, len(EVENT_TYPES))
        self.categories = nn.Linear(size.width, size.category_buckets)
        self.numbers = nn.Linear(size.width, 2)

    def losses(self, hidden: Tensor, codes: Tensor, numbers: Tensor) -> NextEventLosses:
        """Losses of predicting ``codes`` ``[events, 3]`` and ``numbers`` from ``hidden`` before them."""
        return NextEventLosses(
            cross_entropy(self.types(hidden), codes[:, 0]),
            cross_entropy(self.categories(hidden), codes[:, 1]),
            smooth_l1_loss(self.numbers(hidden), numbers[:, [_GAP, _VALUE]]),
        )


class NextEventLosses(NamedTuple):
    """Means over events: log losses in nats, and the Huber loss of gap and value."""

    type: Tensor
    category: Tensor
    amounts: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised: categories, of which most is chance, weigh less."""
        return self.type + 0.25 * self.category + self.amounts


def hazard_loss(logits: Tensor, bins: Tensor, seen: Tensor, churned: Tensor) -> Tensor:
    """Half the right-censored likelihood of the time to the next event, half cross entropy at the horizon.

    ``logits`` ``[examples, BINS]`` or more. The first uses every example, the second only those whose outcome
    is known, but judges the very probability that is served.
    """
    known, logits = ~torch.isnan(churned), logits[:, :BINS]
    survived = torch.arange(BINS) < bins[:, None]
    likelihood = (logsigmoid(-logits) * survived).sum(1)
    likelihood = likelihood + torch.where(seen, logsigmoid(logits.gather(1, bins[:, None])[:, 0]), 0.0)
    if not known.any():
        return -likelihood.mean()
    entropy = binary_cross_entropy_with_logits(survival_logit(logits[known]), churned[known])
    return -0.5 * likelihood.mean() + 0.5 * entropy * known.float().mean()


def decline_loss(head: QueryHead, outputs: Tensor, declined: Tensor, spend: Tensor) -> Tensor:
    """Cross entropy of declines, and the likelihood of what was spent: nothing, or a log-normal amount.

    ``outputs`` ``[examples, BINS + 3]``; ``declined`` and ``spend`` ``[examples]``, NaN where not known. A
    sum over the known examples, over the number of all.
    """
    assert head.log_width is not None
    logit, some, log_mean = outputs[:, BINS], outputs[:, BINS + 1], outputs[:, BINS + 2]
    total = torch.zeros(())
    if (known := ~torch.isnan(declined)).any():
        entropy = binary_cross_entropy_with_logits(logit[known], declined[known], reduction="sum")
        total = total + DECLINE_WEIGHT * entropy
    if (known := ~torch.isnan(spend)).any():
        losses = spend_losses(some[known], log_mean[known], head.log_width, spend[known])
        total = total + SPEND_WEIGHT * losses.sum()
    return total / len(outputs)


def base_hazards(bins: Tensor, seen: Tensor) -> Tensor:
    """Kaplan-Meier hazards of the examples, ``[BINS]``: where training starts."""
    at_risk = torch.tensor([(bins >= index).sum() for index in range(BINS)]).float()
    ended = torch.tensor([((bins == index) & seen).sum() for index in range(BINS)]).float()
    return ((ended + 0.5) / (at_risk + 1.0)).clamp(1e-3, 1 - 1e-3)
