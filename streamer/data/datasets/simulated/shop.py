"""The simulated shop as events of the contract, and its truth as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.units import DAY_MS
from streamer.data.datasets.simulated.actions import BUY, EVENT_TYPES, SEARCH, actions_of, items_of
from streamer.data.datasets.simulated.catalogue import ITEMS, POPULARITY, draw_catalogue
from streamer.data.datasets.simulated.draws import Draws
from streamer.data.datasets.simulated.sessions import draw_sessions
from streamer.data.datasets.simulated.truth import truth_of

SPAN_START_MS: Final = parse_timestamp("2025-01-01T00:00:00Z")
MAX_USERS: Final = 9_999_999
MAX_DAYS: Final = 3_650
"""More than these would outgrow the digits of ids, whose order is the order of numbers."""

_CATALOGUE, _SESSIONS, _ITEMS = range(3)
_CHUNK: Final = 65_536
_CURRENCY: Final = "USD"


class UserTruth(Struct, frozen=True):
    """The truth about one user at one cut; times are RFC 3339.

    ``probability``: of no event within the horizon from ``at``, as one who knows the simulation would compute
    it from what was seen before ``at``; null where nothing was. ``left_at``: the time of the last event of a
    user who left within the span.
    """

    user_id: str
    left_at: str | None
    at: str
    probability: float | None


class Shop:
    """``users`` users over ``days`` days. Memory: about 100 bytes an event, in arrays."""

    def __init__(self, users: int, days: int, seed: int) -> None:
        self._users = users
        self._span_ms = days * DAY_MS
        self._sessions = draw_sessions(users, self._span_ms, Draws(seed, _SESSIONS))
        self._actions = actions_of(self._sessions)
        self._catalogue = draw_catalogue(Draws(seed, _CATALOGUE))
        self._items = items_of(self._sessions, self._actions, POPULARITY, ITEMS, Draws(seed, _ITEMS))

    def events(self) -> Iterator[Event]:
        """All events, by time and then by id."""
        sessions, actions = self._sessions, self._actions
        # Actions lie by user, session and place, which is the order of their ids.
        order = np.argsort(actions.time_ms, kind="stable")
        order = order[: np.searchsorted(actions.time_ms[order], self._span_ms)]
        lines = [(item,) for item in self._catalogue]
        for begin in range(0, len(order), _CHUNK):
            rows = order[begin : begin + _CHUNK]
            session = actions.session[rows]
            for time, user, number, place, kind, item in zip(
                (actions.time_ms[rows] + SPAN_START_MS).tolist(),
                sessions.user[session].tolist(),
                sessions.number[session].tolist(),
                actions.place[rows].tolist(),
                actions.kind[rows].tolist(),
                self._items[rows].tolist(),
                strict=True,
            ):
                user_id = _user_id(user)
                session_id = f"{user_id}-{number:05}"
                items = lines[item]
                yield Event(
                    event_id=f"{session_id}-{place:02}",
                    user_id=user_id,
                    type=EVENT_TYPES[kind],
                    timestamp=time,
                    items=() if kind == SEARCH else items,
                    value=items[0].price if kind == BUY else None,
                    currency=None if kind == SEARCH else _CURRENCY,
                    query=items[0].category if kind == SEARCH else None,
                    session_id=session_id,
                )

    def truth(self, cuts_ms: Sequence[int], horizon_ms: int) -> list[UserTruth]:
        """A row for each user at each of ``cuts_ms`` (epoch milliseconds), cut after cut.

        ``horizon_ms``: at least 90,000. Raises ``ConfigurationError`` for a cut outside the span.
        """
        end_ms = SPAN_START_MS + self._span_ms
        for cut in cuts_ms:
            if not SPAN_START_MS <= cut <= end_ms:
                raise ConfigurationError(
                    f"--at {format_timestamp(cut)} is outside the simulated span, which lasts from "
                    f"{format_timestamp(SPAN_START_MS)} to {format_timestamp(end_ms)}."
                )
        cuts = [cut - SPAN_START_MS for cut in cuts_ms]
        truth = truth_of(self._sessions, self._actions, self._users, self._span_ms, cuts, horizon_ms)
        left = [
            None if math.isnan(time) else format_timestamp(int(time) + SPAN_START_MS)
            for time in truth.left_ms.tolist()
        ]
        return [
            UserTruth(
                _user_id(user), left[user], format_timestamp(cut), None if math.isnan(chance) else chance
            )
            for cut, probability in zip(cuts_ms, truth.probability, strict=True)
            for user, chance in enumerate(probability.tolist())
        ]


def _user_id(number: int) -> str:
    return f"user-{number + 1:07}"
