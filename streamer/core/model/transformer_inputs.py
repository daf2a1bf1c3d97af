"""Tokens as the arrays that the transformer graphs take. Serving and training both call this."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.event import EVENT_TYPES
from schemas.units import DAY_MS, HOUR_MS
from streamer.core.history.calendar import Calendar
from streamer.core.history.token import TokenArray

NUMBERS: Final = (
    "gap",  # log1p hours since the user's event before
    "first",  # 1 for a user's first event
    "value",  # signed log1p money
    "value_known",
    "lines",  # log1p items
    "hour_sine",
    "hour_cosine",
    "weekday_sine",
    "weekday_cosine",
)


class TransformerInputs(NamedTuple):
    """``codes``: int64 ``[tokens, 3]``, type, category bucket, item bucket (bucket 0: none).

    ``numbers``: float32 ``[tokens, len(NUMBERS)]``.
    """

    codes: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float32]


def transformer_inputs(
    tokens: TokenArray,
    previous_time: npt.NDArray[np.float64],
    category_buckets: int,
    item_buckets: int,
    calendar: Calendar,
    types: int = len(EVENT_TYPES),
) -> TransformerInputs:
    """Inputs of ``tokens`` (shape ``[tokens]``), whose predecessors' event times are ``previous_time``.

    ``previous_time`` is epoch milliseconds, NaN for a user's first event. ``category_buckets`` and
    ``item_buckets`` are the bundle's embedding sizes, bucket 0 included. Hours and weekdays are those of
    ``calendar``. ``types``: how many types the bundle knows; an event of a later one has no type of its own
    for it and is read as a view, the first and least telling.
    """
    time = tokens["time"].astype(np.float64)
    first = np.isnan(previous_time)
    gap_hours = np.where(first, 0.0, (time - previous_time) / HOUR_MS)
    known = ~np.isnan(tokens["value"])
    value = np.where(known, tokens["value"], 0.0).astype(np.float64)
    local = calendar.local_ms(time)
    day_angle = (local % DAY_MS) * (2.0 * np.pi / DAY_MS)
    week_angle = (local % (7 * DAY_MS)) * (2.0 * np.pi / (7 * DAY_MS))
    numbers = np.stack(
        [
            np.log1p(np.maximum(gap_hours, 0.0)),
            first.astype(np.float64),
            np.sign(value) * np.log1p(np.abs(value)),
            known.astype(np.float64),
            np.log1p(tokens["lines"].astype(np.float64)),
            np.sin(day_angle),
            np.cos(day_angle),
            np.sin(week_angle),
            np.cos(week_angle),
        ],
        axis=1,
    ).astype(np.float32)
    codes = np.stack(
        [
            np.where(tokens["type"] < types, tokens["type"], 0).astype(np.int64),
            bucket(tokens["category"], category_buckets),
            bucket(tokens["item"], item_buckets),
        ],
        axis=1,
    )
    return TransformerInputs(codes, numbers)


def bucket(hashes: npt.NDArray[np.uint32], buckets: int) -> npt.NDArray[np.int64]:
    """Where each hash falls: bucket 0 for the hash 0 (absent), else 1 to ``buckets - 1``."""
    wide = hashes.astype(np.int64)
    return np.where(wide == 0, 0, 1 + wide % (buckets - 1))
