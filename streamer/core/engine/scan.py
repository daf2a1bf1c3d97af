"""What users' events, each newer than the one before, make of rings and aggregates, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.core.engine.ragged import Ragged
from streamer.core.history.aggregates import Aggregates, advance
from streamer.core.history.calendar import Calendar
from streamer.core.history.packed import stacked
from streamer.core.history.token import TOKEN_BYTES, TokenArray, as_array
from streamer.core.user_state import UserState


class Scan(NamedTuple):
    """Values after each event, ``[events, columns]`` and ``[events]``.

    ``displaced``: whether the event made the ring's oldest token leave. ``longer_rings`` ``[users]``: each
    user's ring after the first event, with the tokens of the others behind it.
    """

    base: Aggregates
    running: Aggregates
    time_before_ring: npt.NDArray[np.float64]
    displaced: npt.NDArray[np.bool_]
    longer_rings: list[bytes]


def scan(
    states: Sequence[UserState],
    tokens: TokenArray,
    users: Ragged,
    ring_tokens: int,
    calendar: Calendar,
) -> Scan:
    """Take ``tokens``, those of ``users``, in after ``states``, which stay as they are.

    No ring is or gets longer than ``ring_tokens``.
    """
    packed, capacity = tokens.tobytes(), ring_tokens * TOKEN_BYTES
    longer: list[bytes] = []
    leaving: list[bytes] = []
    for state, start, count in zip(states, users.starts.tolist(), users.counts.tolist(), strict=True):
        tokens_behind = packed[start * TOKEN_BYTES : (start + count) * TOKEN_BYTES]
        whole = state.ring + tokens_behind
        longer.append(whole[max(len(state.ring) + TOKEN_BYTES - capacity, 0) :])
        leaving.append(whole[: max(len(whole) - capacity, 0)])
    lost = np.array([len(each) // TOKEN_BYTES for each in leaving])
    # A user's last events displace a token each, those before fill the ring.
    filling, lost_starts = users.counts - lost, np.cumsum(lost) - lost
    moved = as_array(b"".join([*leaving, packed]))
    moved_times, entered = moved["time"].astype(np.float64), int(lost.sum())

    base = stacked([state.past for state in states]).copy()
    running = stacked([state.running for state in states]).copy()
    before = np.array([state.time_before_ring for state in states])
    events, columns = len(tokens), base.shape[1]
    found = Scan(
        np.empty((events, columns)),
        np.empty((events, columns)),
        np.empty(events),
        users.ranks >= filling[users.numbers],
        longer,
    )
    for rank in range(users.counts.max()):
        going_on = np.flatnonzero(users.counts > rank)
        at = users.starts[going_on] + rank
        losing = going_on[found.displaced[at]]
        left = lost_starts[losing] + rank - filling[losing]
        rows = np.concatenate((base[losing], running[going_on]))
        rows = advance(rows, moved[np.concatenate((left, entered + at))], calendar)
        base[losing], running[going_on] = rows[: len(losing)], rows[len(losing) :]
        before[losing] = moved_times[left]
        found.base[at], found.running[at] = base[going_on], running[going_on]
        found.time_before_ring[at] = before[going_on]
    return found
