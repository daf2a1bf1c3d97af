"""All users' events as one array of tokens, the very tokens that the streamer keeps."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
from streamer.core.history.aggregates import Aggregates, advance, empty
from streamer.core.history.calendar import UTC, Calendar
from streamer.core.history.token import PURCHASE, TOKEN, TokenArray, are_actions, tokenise


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

    def user_of(self, events: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Whose each of ``events`` is."""
        return np.searchsorted(self.starts, events, side="right") - 1

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

    def silent_since(self) -> npt.NDArray[np.int64]:
        """As of each event, the time of its user's newest action, or of the first event before any."""
        kept = are_actions(self.tokens)
        kept[self.starts[:-1]] = True
        return self.times[np.maximum.accumulate(np.where(kept, np.arange(len(self.tokens)), 0))]

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

    The first of those with one id stays. Memory: at most 150 bytes an event, and 150 a user.
    ``currency``: the only one whose amounts are known, as the worker's setting says; ``None`` takes all.
    """
    index_of: dict[str, int] = {}
    users = array("i")
    packed = bytearray()
    for event in events:
        if until_ms is None or event.timestamp < until_ms:
            users.append(index_of.setdefault(event.user_id, len(index_of)))
            packed += tokenise(event, currency)
    rank = np.empty(len(index_of), np.int64)
    rank[[index_of[user_id] for user_id in sorted(index_of)]] = np.arange(len(index_of))
    tokens = np.frombuffer(packed, TOKEN)
    user = rank[np.frombuffer(users, np.int32)]
    first = _first_of_each_id(user, tokens["event"])
    tokens, user = tokens[first], user[first]
    tokens = tokens[np.lexsort((tokens["event"], tokens["time"], user))]
    tokens.flags.writeable = False
    lengths = np.bincount(user, minlength=len(index_of))
    return Histories(tokens, np.concatenate([[0], np.cumsum(lengths)]), calendar)


def _first_of_each_id(user: npt.NDArray[np.int64], event: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Whether no event before it is of the same user and has the same hash of its id, ``[events]``."""
    identity = (user << 32) | event
    order = np.argsort(identity, kind="stable")
    sorted_identity = identity[order]
    first = np.ones(len(identity), bool)
    first[order[1:]] = sorted_identity[1:] != sorted_identity[:-1]
    return first


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
    if not len(distinct):
        return kept
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
        histories.tokens["type"] == PURCHASE if churn_types == "purchase" else are_actions(histories.tokens)
    )
    events = len(histories.tokens)
    # Index of the nearest counting event at or after each one, then that of its successor.
    nearest = np.where(counts, np.arange(events), events)
    nearest = np.minimum.accumulate(nearest[::-1])[::-1]
    following = np.append(nearest[1:], events)
    ends = np.repeat(histories.starts[1:], np.diff(histories.starts))
    times = np.append(histories.times, 0).astype(np.float64)
    return np.where(following < ends, times[following], np.nan)
