"""What encoding has to run: users' tokens as tasks, and tasks as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from streamer.core.history.token import TOKEN_BYTES, TokenArray, as_array, place
from streamer.core.model.risk_model import Encoding
from streamer.inference.graphs.slots import Entry

_KEY_BYTES: Final = 12  # a packed token's time and event hash, which tell it from every other of its ring


class Task(Struct, frozen=True, gc=False):
    """The last ``tokens`` tokens are to be run, at least those asked for, from an empty cache if ``anew``."""

    encoding: Encoding
    entry: Entry
    tokens: int
    anew: bool


def task_of(encoding: Encoding, entry: Entry, rebuild_tokens: int) -> Task:
    """What has to be run for a user, whose ``entry`` is brought to where it will be afterwards.

    An entry from which one cannot go on is filled anew; ``rebuild_tokens`` are enough for one vector.
    """
    ring, asked = encoding.ring, encoding.asked
    behind = _tokens_behind(entry, ring, encoding.position) if encoding.appended else 0
    entry.position = encoding.position
    entry.newest = _key(ring, len(ring) - TOKEN_BYTES)
    if behind >= asked:
        return Task(encoding, entry, behind, anew=False)
    return Task(encoding, entry, min(len(ring) // TOKEN_BYTES, rebuild_tokens + asked - 1), anew=True)


class Runs:
    """Tasks as columns. ``starts``: of their tokens among all; ``answers``: of what they ask for, likewise.

    ``first_positions``: of their first tokens in their users' histories. ``rebuilt``: how many of the tokens
    are run at once; the rest are stepped through. That is none where there is no graph for it, or where there
    would be fewer than ``least_rebuilt``.
    """

    def __init__(self, tasks: Sequence[Task], least_rebuilt: int | None) -> None:
        self._tasks = tasks
        self.tokens = np.array([task.tokens for task in tasks])
        self.asked = np.array([task.encoding.asked for task in tasks])
        self.anew = np.array([task.anew for task in tasks])
        self.slots = np.array([task.entry.slot for task in tasks], np.int64)
        self.starts = np.cumsum(self.tokens) - self.tokens
        self.answers = np.cumsum(self.asked) - self.asked
        self.first_positions = np.array([task.encoding.position + 1 for task in tasks]) - self.tokens
        to_first = self.tokens - self.asked + 1
        at_once = self.anew if least_rebuilt is None else self.anew & (to_first >= least_rebuilt)
        self.rebuilt = np.where(at_once & (least_rebuilt is not None), to_first, 0)

    def token_array(self) -> TokenArray:
        """All tokens, task after task."""
        return as_array(b"".join([task.encoding.ring[-task.tokens * TOKEN_BYTES :] for task in self._tasks]))

    def previous_times(self, tokens: TokenArray) -> npt.NDArray[np.float64]:
        """Time (epoch ms) of the event before each of :meth:`token_array`, NaN before a user's first."""
        before = np.empty(len(tokens))
        before[1:] = tokens["time"][:-1]
        before[self.starts] = [_time_before(task) for task in self._tasks]
        return before


def _time_before(task: Task) -> float:
    ring = task.encoding.ring
    at = len(ring) - (task.tokens + 1) * TOKEN_BYTES
    return place(ring, at)[0] if at >= 0 else task.encoding.time_before_ring


def _tokens_behind(entry: Entry, ring: bytes, position: int) -> int:
    """How many tokens of the ring an entry has yet to see, 0 when it cannot go on from where it is."""
    behind = position - entry.position
    at = len(ring) - (behind + 1) * TOKEN_BYTES
    return behind if behind > 0 and at >= 0 and _key(ring, at) == entry.newest else 0


def _key(ring: bytes, at: int) -> bytes:
    return ring[at : at + _KEY_BYTES]
