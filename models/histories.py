"""All users' events as one array of tokens, the very tokens that the streamer keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.configuration import ChurnTypes
from schemas.event import Event
from streamer.core.aggregates import Aggregates, advance, empty
from streamer.core.calendar import UTC, Calendar
from streamer.core.token import EVENT_HASH_AT, PURCHASE, TOKEN_BYTES, TokenArray, as_array, place, tokenise


class Histories(NamedTuple):
    """``tokens`` ``[events]``: user after user, each in the ring's order.

    ``starts`` ``[users + 1]``: user u has the events ``starts[u]`` to ``starts[u + 1]``. Their days and hours
    are those of ``calendar``.
    """

    tokens: TokenArray
    starts: npt.NDArray[np.int64]
    calendar: Calendar

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.starts) - 1

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """Event times ``[events]``, epoch milliseconds."""
        return self.tokens["time"]

    @property
    def user(self) -> npt.NDArray[np.int64]:
        """Whose each event is, ``[events]``."""
        return np.repeat(np.arange(self.users), np.diff(self.starts))

    @property
    def place(self) -> npt.NDArray[np.int64]:
        """How many events of its user came before each event, ``[events]``."""
        return np.arange(len(self.tokens)) - np.repeat(self.starts[:-1], np.diff(self.starts))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the events, in hexadecimal."""
        return sha256(self.starts.tobytes() + self.tokens.tobytes()).hexdigest()

    def before(self, time_ms: int) -> Histories:
        """The events before ``time_ms``; users without one are left out."""
        kept = self.times < time_ms
        counts = np.add.reduceat(kept, self.starts[:-1], dtype=np.int64) if self.users else np.zeros(0, int)
        starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
        return self._replace(tokens=self.tokens[kept], starts=starts)

    def previous_times(self) -> npt.NDArray[np.float64]:
        """Time of the user's event before each event, NaN before the first."""
        before = np.full(len(self.tokens), np.nan)
        before[1:] = self.times[:-1]
        before[self.starts[:-1]] = np.nan
        return before


def collect(
    events: Iterable[Event],
    until_ms: int | None = None,
    calendar: Calendar = UTC,
    currency: str | None = None,
) -> Histories:
    """Histories of ``events`` before ``until_ms``, in any order; an id that a user has twice counts once.

    ``currency``: the only one whose amounts are known, as the worker's setting says; ``None`` takes all.
    """
    packed: defaultdict[str, list[bytes]] = defaultdict(list)
    for event in events:
        if until_ms is None or event.timestamp < until_ms:
            packed[event.user_id].append(tokenise(event, currency))
    lengths = [0]
    joined: list[bytes] = []
    for user_id in sorted(packed):
        distinct = {token[EVENT_HASH_AT : EVENT_HASH_AT + 4]: token for token in reversed(packed[user_id])}
        history = sorted(distinct.values(), key=lambda token: place(token, 0))
        joined += history
        lengths.append(len(history))
    assert all(len(token) == TOKEN_BYTES for token in joined[:1])
    return Histories(as_array(b"".join(joined)), np.cumsum(lengths), calendar)


def aggregates_at(
    histories: Histories,
    wanted: npt.NDArray[np.int64],
    progress: Callable[[int], None] = lambda _: None,
) -> Aggregates:
    """Running aggregates right after each of the ``wanted`` events, ``[wanted, columns]``.

    Every user is folded event by event as the streamer does it, all users at once. ``progress`` is told
    how many events were folded.
    """
    distinct, back = np.unique(wanted, return_inverse=True)
    kept = np.empty((len(distinct), empty(0).shape[1]))
    longest_first = np.argsort(-np.diff(histories.starts), kind="stable")
    starts = histories.starts[:-1][longest_first]
    lengths = np.diff(histories.starts)[longest_first]
    rows = empty(histories.users)
    for step in range(lengths.max(initial=0)):
        active = int(np.searchsorted(-lengths, -step, side="left"))
        events = starts[:active] + step
        rows[:active] = advance(rows[:active], histories.tokens[events], histories.calendar)
        at = np.minimum(np.searchsorted(distinct, events), len(distinct) - 1)
        hit = distinct[at] == events
        kept[at[hit]] = rows[:active][hit]
        progress(active)
    return kept[back]


def next_churn_event(histories: Histories, churn_types: ChurnTypes) -> npt.NDArray[np.float64]:
    """Time of the user's next event of the churn kind after each event, NaN where there is none."""
    counts = (
        histories.tokens["type"] == PURCHASE
        if churn_types == "purchase"
        else np.full(len(histories.tokens), True)
    )
    events = len(histories.tokens)
    # Index of the nearest counting event at or after each one, then that of its successor.
    nearest = np.where(counts, np.arange(events), events)
    nearest = np.minimum.accumulate(nearest[::-1])[::-1]
    following = np.append(nearest[1:], events)
    ends = np.repeat(histories.starts[1:], np.diff(histories.starts))
    times = np.append(histories.times, 0).astype(np.float64)
    return np.where(following < ends, times[following], np.nan)
