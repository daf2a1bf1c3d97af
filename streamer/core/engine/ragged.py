"""Columns whose rows come user after user, of each at least one."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Value = TypeVar("Value", bound=np.generic)


class Ragged:
    """Rows of ``counts`` ``[groups]``, one group after the other.

    >>> two = Ragged(np.array([2, 3]))
    >>> two.numbers.tolist(), two.ranks.tolist()
    ([0, 0, 1, 1, 1], [0, 1, 0, 1, 2])
    >>> two.first(np.array([False, True, False, False, False])).tolist()
    [1, 3]
    """

    def __init__(self, counts: npt.NDArray[np.int64]) -> None:
        self.counts = counts

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each group's rows begin, ``[groups]``."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Each row's group, ``[rows]``."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def ranks(self) -> npt.NDArray[np.int64]:
        """Each row's number within its group, from 0, ``[rows]``."""
        return np.arange(len(self.numbers)) - self.starts[self.numbers]

    def before(self, values: npt.NDArray[Value], first: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Of each row the value of its group's row before; ``first`` ``[groups]`` of the first ones."""
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.starts] = first
        return shifted

    def first(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The rank of each group's first row with a flag, ``[groups]``; its count where there is none."""
        return np.minimum.reduceat(np.where(flags, self.ranks, self.counts[self.numbers]), self.starts)
