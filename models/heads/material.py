"""What heads learn from and are asked about: events, and the hidden vectors after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.data.histories import Histories
from models.fit.language_model import followed_events
from models.network.network import Network
from models.network.sequences import Sequences, hidden_after, in_few_pieces, sequences_of
from models.recipe import Size
from streamer.core.model.alert_inputs import recent_codes

MOST_EVENTS: Final = 200_000
"""Beyond so many events nothing is gained."""


class Followed(NamedTuple):
    """``events`` that another one followed, and the vectors ``hidden`` ``[events, width]`` after them.

    ``actual`` ``[events, 2]``: type and category bucket of what followed.
    """

    events: npt.NDArray[np.int64]
    hidden: Tensor
    actual: Tensor


@dataclass(frozen=True)
class HeadMaterial:
    """A network that stays as it is, over ``histories``."""

    network: Network
    histories: Histories
    sequences: Sequences

    @classmethod
    def of(cls, network: Network, histories: Histories) -> HeadMaterial:
        """The material of ``network`` over ``histories``."""
        return cls(network, histories, sequences_of(histories, network.transformer.size))

    @torch.no_grad()
    def hidden(self, events: npt.NDArray[np.int64]) -> Tensor:
        """Hidden vectors ``[events, width]`` right after ``events``."""
        return hidden_after(self.network.transformer, self.sequences, events)

    def followed(self, seed: int) -> Followed:
        """What heads of the next event learn from: at most :data:`MOST_EVENTS`, drawn with ``seed``."""
        every = followed_events(self.sequences, np.arange(len(self.sequences.begins)))
        events = in_few_pieces(self.sequences, every, MOST_EVENTS, seed)
        return Followed(events, self.hidden(events), self.following(events))

    def recent(self, events: npt.NDArray[np.int64]) -> Tensor:
        """What the alert graph is told of the tokens up to ``events``, ``[events, tokens, 2]``."""
        return recent_of(self.histories, events, self.network.transformer.size)

    def following(self, events: npt.NDArray[np.int64]) -> Tensor:
        """Type and category bucket ``[events, 2]`` of what followed ``events``, none a user's last."""
        return self.sequences.codes[torch.from_numpy(events + 1), :2]


def recent_of(histories: Histories, events: npt.NDArray[np.int64], size: Size) -> Tensor:
    """The newest tokens up to each of ``events``, ``[events, tokens, 2]``."""
    user = np.searchsorted(histories.starts, events, side="right") - 1
    held = events - histories.starts[user] + 1
    return torch.from_numpy(
        recent_codes(histories.tokens, events, held, size.rebuild_tokens, size.category_buckets)
    )
