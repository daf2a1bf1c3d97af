"""The actions of sessions, one row each: what, when, and on which item."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.data.datasets.simulated.draws import Draws, Integers
from streamer.data.datasets.simulated.sessions import Sessions

SEARCH, VIEW, ADD, REMOVE, BUY = range(5)
EVENT_TYPES: Final = ("search", "view", "add_to_cart", "remove_from_cart", "purchase")
"""Event types by the codes above."""


class Actions(NamedTuple):
    """One row an action, ``[actions]``, by user and then by time."""

    session: Integers  # row of the session
    place: Integers  # within the session, from 0
    time_ms: Integers  # since the span began
    kind: npt.NDArray[np.uint8]


def actions_of(sessions: Sessions) -> Actions:
    """Every session's actions in its order.

    Loyal: search, views, add_to_cart, (remove_from_cart), (purchase). Drifting: add_to_cart,
    (remove_from_cart), views, search, (purchase).
    """
    session = np.repeat(np.arange(len(sessions.user)), sessions.actions)
    place = np.arange(len(session)) - sessions.first_action[session]
    elapsed = np.cumsum(sessions.pauses_ms)
    time = sessions.start_ms[session] + elapsed - elapsed[sessions.first_action[session]]
    views, removed = sessions.views[session], sessions.removed[session]
    loyal = np.select(
        [place == 0, place <= views, place == views + 1, (place == views + 2) & removed],
        [SEARCH, VIEW, ADD, REMOVE],
        BUY,
    )
    drifting = np.select(
        [place == 0, (place == 1) & removed, place <= views + removed, place == views + removed + 1],
        [ADD, REMOVE, VIEW, SEARCH],
        BUY,
    )
    kind = np.where(sessions.reversed[session], drifting, loyal).astype(np.uint8)
    return Actions(session, place, time, kind)


def items_of(sessions: Sessions, actions: Actions, popularity: float, items: int, draws: Draws) -> Integers:
    """The item of each action, ``[actions]``; a search has that of the session's first view.

    Views draw theirs by Zipf's law; what is added to the cart, removed and bought is one of those viewed in
    the session. None of it looks at mood or order.
    """
    first_view = np.cumsum(sessions.views) - sessions.views
    viewed = draws.zipf(popularity, items, int(sessions.views.sum()))
    wanted = (draws.uniform(len(sessions.user)) * sessions.views).astype(np.int64)
    session, kind = actions.session, actions.kind
    before_views = 1 + (sessions.reversed & sessions.removed)
    which = np.select(
        [kind == VIEW, kind == SEARCH],
        [actions.place - before_views[session], 0],
        wanted[session],
    )
    return viewed[first_view[session] + which]
