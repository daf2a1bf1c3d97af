"""A user's newest tokens as the alert graph takes them. Serving and training both call this."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.event import EVENT_TYPES
from streamer.core.history.token import TokenArray
from streamer.core.model.transformer_inputs import bucket

ABSENT: Final = -1
"""The type of a token that is not there, or is of a type that the bundle does not know."""


def recent_codes(
    tokens: TokenArray,
    newest: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    length: int,
    category_buckets: int,
    types: int = len(EVENT_TYPES),
) -> npt.NDArray[np.int64]:
    """Types and category buckets ``[users, length, 2]`` of the tokens up to ``newest``, those last.

    ``newest``: each user's index in ``tokens``; ``held`` (both ``[users]``): how many tokens up to there are
    the user's. Where there are fewer than ``length``, the first are :data:`ABSENT` and of bucket 0.
    ``types``: how many types the bundle knows.
    """
    ages = np.arange(length - 1, -1, -1)
    there = ages < held[:, np.newaxis]
    at = np.where(there, newest[:, np.newaxis] - ages, newest[:, np.newaxis])
    codes = tokens["type"][at].astype(np.int64)
    known = np.where(there & (codes < types), codes, ABSENT)
    categories = np.where(there, bucket(tokens["category"][at], category_buckets), 0)
    return np.stack([known, categories], axis=2)
