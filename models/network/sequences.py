"""Users' histories as transformer inputs, and the hidden vectors after their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.data.histories import Histories
from models.network.transformer import Transformer
from models.recipe import Recipe, Size
from streamer.core.model.transformer_inputs import NUMBERS, transformer_inputs

PIECE_EVENTS: Final = 256

_EVENTS_AT_A_TIME: Final = 500_000

PADDED_EVENTS: Final = 4096
"""Events, padding included, that go through the transformer at a time: they bound its memory."""


class Sequences(NamedTuple):
    """Transformer inputs of all events, and where each user's begin (``starts``, ``[users + 1]``).

    Histories are worked on in pieces, so that the longest of them takes no more memory than others: piece p
    counts for the events ``pieces[p]`` to ``pieces[p + 1]``, and is read from ``begins[p]`` on, as many
    events earlier as its first hidden vector depends on.
    """

    codes: Tensor
    numbers: Tensor
    starts: npt.NDArray[np.int64]
    pieces: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]

    def piece_users(self) -> npt.NDArray[np.int64]:
        """Whose each piece is, ``[pieces]``."""
        return np.searchsorted(self.starts, self.pieces[:-1], side="right") - 1


def sequences_of(histories: Histories, size: Size) -> Sequences:
    """What the transformer sees of ``histories``."""
    codes = torch.empty((len(histories.tokens), 3), dtype=torch.int64)
    numbers = torch.empty((len(histories.tokens), len(NUMBERS)))
    previous = histories.previous_times()
    for begin in range(0, len(histories.tokens), _EVENTS_AT_A_TIME):
        part = slice(begin, begin + _EVENTS_AT_A_TIME)
        inputs = transformer_inputs(
            histories.tokens[part],
            previous[part],
            size.category_buckets,
            size.item_buckets,
            histories.calendar,
        )
        codes[part], numbers[part] = torch.from_numpy(inputs.codes), torch.from_numpy(inputs.numbers)
    starts = histories.starts
    count = -(-np.diff(starts) // PIECE_EVENTS)
    pieces = np.repeat(starts[:-1], count) + PIECE_EVENTS * ranges(np.zeros_like(count), count)
    begins = np.maximum(np.repeat(starts[:-1], count), pieces + 1 - size.rebuild_tokens)
    return Sequences(
        codes,
        numbers,
        starts,
        np.append(pieces, starts[-1]),
        begins,
    )


def hidden_after(transformer: Transformer, sequences: Sequences, events: npt.NDArray[np.int64]) -> Tensor:
    """Hidden vectors ``[len(events), width]`` right after ``events``, which may come in any order."""
    distinct, back = np.unique(events, return_inverse=True)
    piece = np.searchsorted(sequences.pieces, distinct, side="right") - 1
    needed = np.unique(piece)
    first, last = sequences.begins[needed], sequences.pieces[needed + 1]
    parts: list[Tensor] = [torch.zeros(0, transformer.size.width)]
    places: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for group in alike(last - first, PADDED_EVENTS):
        bounds = [slice(*bound) for bound in zip(first[group].tolist(), last[group].tolist(), strict=True)]
        codes = pad_sequence([sequences.codes[part] for part in bounds], batch_first=True)
        numbers = pad_sequence([sequences.numbers[part] for part in bounds], batch_first=True)
        wanted = np.flatnonzero(np.isin(piece, needed[group]))
        row = np.searchsorted(needed[group], piece[wanted])
        column = distinct[wanted] - first[group][row]
        parts.append(transformer(codes, numbers)[torch.from_numpy(row), torch.from_numpy(column)])
        places.append(wanted)
    order = np.argsort(np.concatenate(places))
    return torch.cat(parts)[torch.from_numpy(order[back])]


def in_few_pieces(
    sequences: Sequences, events: npt.NDArray[np.int64], most: int, seed: int
) -> npt.NDArray[np.int64]:
    """At most ``most`` of ``events``, ascending: all those in pieces that are drawn.

    A hidden vector costs its whole piece, so events drawn one by one would cost nearly every piece.
    """
    if len(events) <= most:
        return events
    piece = np.searchsorted(sequences.pieces, events, side="right") - 1
    order = np.random.default_rng(seed).permutation(len(sequences.begins))
    counted = np.cumsum(np.bincount(piece, minlength=len(order))[order])
    return events[np.isin(piece, order[counted <= most])]


def piece_batches(
    draw: np.random.Generator, sequences: Sequences, pieces: npt.NDArray[np.int64], recipe: Recipe
) -> list[npt.NDArray[np.int64]]:
    """An epoch's batches of ``pieces``, shuffled, of about ``batch_events``; ``most_events`` in all."""
    order = draw.permutation(pieces)
    total = np.cumsum(np.diff(sequences.pieces)[order])
    order = order[: max(1, int(np.searchsorted(total, recipe.most_events, side="right")))]
    count = max(1, round(int(total[len(order) - 1]) / recipe.batch_events))
    return [np.sort(batch) for batch in np.array_split(order, min(count, len(order)))]


def alike(lengths: npt.NDArray[np.int64], events: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of pieces of like length, in groups of at most ``events`` once padded, or of one piece."""
    group: list[int] = []
    for piece in np.argsort(lengths, kind="stable").tolist():
        if group and lengths[piece] * (len(group) + 1) > events:
            yield np.sort(np.array(group))
            group = []
        group.append(piece)
    if group:
        yield np.sort(np.array(group))


def ranges(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers from each ``first`` up to its ``last``, one range after the other."""
    lengths = last - first
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(first - before, lengths)
