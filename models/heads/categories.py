"""Names for the buckets that categories fall into: tokens hold hashes alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from models.data.histories import Histories
from schemas.event import Event
from streamer.core.history.token import dearest_item, hash_text
from streamer.core.model.transformer_inputs import bucket

MOST_NAMES: Final = 100_000
"""Distinct categories remembered while events are read; of a catalogue larger than that, the first ones."""

LONGEST_NAME: Final = 80
"""Characters of a category that are told: a bundle stays small."""


class CategoryNames:
    """The text behind each hash of a category."""

    def __init__(self) -> None:
        self.text: dict[int, str] = {}

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """``events`` as they are, with the categories of their tokens remembered."""
        for event in events:
            item = dearest_item(event)
            if item is not None and item.category and len(self.text) < MOST_NAMES:
                self.text.setdefault(hash_text(item.category), item.category)
            yield event


def bucket_names(text: Mapping[int, str], histories: Histories, buckets: int) -> tuple[str | None, ...]:
    """For each bucket the category seen most in ``histories``, of those whose ``text`` by hash is known."""
    hashes, counts = np.unique(histories.tokens["category"], return_counts=True)
    names: list[str | None] = [None] * buckets
    rarest_first = np.argsort(counts, kind="stable")
    for at, place in zip(
        hashes[rarest_first].tolist(), bucket(hashes[rarest_first], buckets).tolist(), strict=True
    ):
        if at in text:
            names[place] = text[at][:LONGEST_NAME]
    return tuple(names)
