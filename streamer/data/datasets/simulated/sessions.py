"""All users' sessions: when, in which mood, of which actions in which order, and who leaves."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.data.datasets.simulated.draws import Draws, Floats, Integers

Booleans = npt.NDArray[np.bool_]

STARTING_SHARE: Final = 1 / 3
MEAN_GAP_MEDIAN_DAYS: Final = 4.0
MEAN_GAP_SIGMA: Final = 0.5
LEAST_PAUSE_S: Final = 20.0
LONGEST_PAUSE_S: Final = 90.0
LOYAL_TO_DRIFTING: Final = 0.06
DRIFTING_TO_LOYAL: Final = 0.20
OTHER_ORDER: Final = 0.10
LEAST_VIEWS: Final = 2
MORE_VIEWS_MEAN: Final = 3.0
REMOVAL: Final = 0.3
PURCHASE: Final = 0.4
LEAVING_LOYAL: Final = 0.005
LEAVING_DRIFTING: Final = 0.40


class Sessions(NamedTuple):
    """One row a session, ``[sessions]``, by user and then by time; pauses are ``[actions]``, row after row.

    ``mean_gap_ms`` is the user's m_u. ``last`` marks the session after which the user leaves for ever.
    """

    user: Integers
    number: Integers  # of the user's sessions, from 0
    start_ms: Integers  # since the span began
    mean_gap_ms: Floats
    drifting: Booleans  # the mood
    reversed: Booleans  # the order of actions is the drifting mood's
    views: Integers
    removed: Booleans
    bought: Booleans
    last: Booleans
    first_action: Integers  # the row of its first action in ``pauses_ms``
    pauses_ms: Integers  # before each action; 0 before a session's first

    @property
    def actions(self) -> Integers:
        """How many actions each session has, ``[sessions]``."""
        return 2 + self.views + self.removed + self.bought


def draw_sessions(users: int, span_ms: int, draws: Draws) -> Sessions:
    """The sessions of ``users`` users that begin within ``span_ms``; all users' first, second, … together."""
    user = np.arange(users)
    start = (draws.uniform(users) * (span_ms * STARTING_SHARE)).astype(np.int64)
    mean_gap = MEAN_GAP_MEDIAN_DAYS * DAY_MS * np.exp(MEAN_GAP_SIGMA * draws.normal(users))
    drifting = np.zeros(users, bool)
    rounds: list[Sessions] = []
    actions_before = 0
    while len(user):
        count = len(user)
        sessions = Sessions(
            user=user,
            number=np.full(count, len(rounds)),
            start_ms=start,
            mean_gap_ms=mean_gap,
            drifting=drifting,
            reversed=drifting ^ draws.chance(OTHER_ORDER, count),
            views=LEAST_VIEWS + draws.poisson(MORE_VIEWS_MEAN, count),
            removed=draws.chance(REMOVAL, count),
            bought=draws.chance(PURCHASE, count),
            last=draws.chance(np.where(drifting, LEAVING_DRIFTING, LEAVING_LOYAL), count),
            first_action=np.empty(0, np.int64),
            pauses_ms=np.empty(0, np.int64),
        )
        first = np.cumsum(sessions.actions) - sessions.actions
        pauses = _pauses(first, int(sessions.actions.sum()), draws)
        rounds.append(sessions._replace(first_action=first + actions_before, pauses_ms=pauses))
        actions_before += len(pauses)
        next_start = start + np.add.reduceat(pauses, first)
        next_start += np.rint(draws.gamma_of_shape_2(mean_gap)).astype(np.int64)
        moved = draws.chance(np.where(drifting, DRIFTING_TO_LOYAL, LOYAL_TO_DRIFTING), count)
        stays = ~sessions.last & (next_start < span_ms)
        user, start, mean_gap = user[stays], next_start[stays], mean_gap[stays]
        drifting = (drifting ^ moved)[stays]
    return _by_user(Sessions(*(np.concatenate(columns) for columns in zip(*rounds, strict=True))))


def _pauses(first: Integers, actions: int, draws: Draws) -> Integers:
    seconds = LEAST_PAUSE_S + (LONGEST_PAUSE_S - LEAST_PAUSE_S) * draws.uniform(actions)
    pauses = np.rint(1000.0 * seconds).astype(np.int64)
    pauses[first] = 0
    return pauses


def _by_user(sessions: Sessions) -> Sessions:
    order = np.lexsort((sessions.number, sessions.user))
    columns = {name: column[order] for name, column in sessions._asdict().items() if name != "pauses_ms"}
    ordered = Sessions(**columns, pauses_ms=sessions.pauses_ms)
    first = np.cumsum(ordered.actions) - ordered.actions
    action = np.arange(len(ordered.pauses_ms)) + np.repeat(ordered.first_action - first, ordered.actions)
    return ordered._replace(first_action=first, pauses_ms=ordered.pauses_ms[action])
