"""Users' histories as transformer inputs, padded group by group, and their hidden vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.configuration import Size
from models.histories import Histories
from models.transformer import Transformer
from streamer.core.transformer_inputs import transformer_inputs

PADDED_EVENTS: Final = 4096
"""Events, padding included, that go through the transformer at a time: they bound its memory."""


class Sequences(NamedTuple):
    """Transformer inputs of all events, and where each user's begin (``[users + 1]``)."""

    codes: Tensor
    numbers: Tensor
    starts: npt.NDArray[np.int64]


def sequences_of(histories: Histories, size: Size) -> Sequences:
    """What the transformer sees of ``histories``."""
    inputs = transformer_inputs(
        histories.tokens,
        histories.previous_times(),
        size.category_buckets,
        size.item_buckets,
        histories.calendar,
    )
    return Sequences(torch.from_numpy(inputs.codes), torch.from_numpy(inputs.numbers), histories.starts)


def hidden_of(transformer: Transformer, sequences: Sequences, users: npt.NDArray[np.int64]) -> Tensor:
    """Hidden vectors ``[events, width]`` after the events that :func:`user_events` gives."""
    lengths = sequences.starts[users + 1] - sequences.starts[users]
    parts: list[Tensor] = []
    places: list[npt.NDArray[np.int64]] = []
    for group in alike(lengths, PADDED_EVENTS):
        bounds = [slice(*sequences.starts[user : user + 2].tolist()) for user in users[group]]
        codes = pad_sequence([sequences.codes[part] for part in bounds], batch_first=True)
        numbers = pad_sequence([sequences.numbers[part] for part in bounds], batch_first=True)
        inside = torch.arange(codes.shape[1]) < torch.from_numpy(lengths[group])[:, None]
        parts.append(transformer(codes, numbers)[inside])
        places.append(user_events(sequences.starts, users[group]))
    order = np.argsort(np.concatenate(places))
    return torch.cat(parts)[torch.from_numpy(order)]


def alike(lengths: npt.NDArray[np.int64], events: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of users of like length, in groups of at most ``events`` once padded, or of one user."""
    group: list[int] = []
    for user in np.argsort(lengths, kind="stable").tolist():
        if group and lengths[user] * (len(group) + 1) > events:
            yield np.sort(np.array(group))
            group = []
        group.append(user)
    if group:
        yield np.sort(np.array(group))


def user_events(starts: npt.NDArray[np.int64], users: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Indices of all events of ``users`` (ascending), ascending."""
    return ranges(starts[users], starts[users + 1])


def ranges(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers from each ``first`` up to its ``last``, one range after the other."""
    lengths = last - first
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(first - before, lengths)
