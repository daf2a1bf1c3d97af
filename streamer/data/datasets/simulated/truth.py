r"""The Bayes-optimal probability that a simulated user sends no event within H of a cut.

What is seen of a user before the cut T: the orders o_1 … o_k of the sessions so far, and the silence s since
the last event. Known besides: the user's mean gap m and every constant of the simulation. Views, removals,
purchases, items and the gaps between sessions say nothing about the mood, so they drop out.

**Mood.** Let m_j be the mood of session j, and a_j(m) = P(m_j = m | o_1 … o_j, session j took place). All
start loyal, so a_1(loyal) = 1 whatever o_1 is. That session j + 1 took place proves that the user stayed
after session j; one who stays then changes mood by the matrix P. The forward filter is therefore

    a_{j+1}(m) proportional to P(o_{j+1} | m) · sum over m' of a_j(m') (1 - l(m')) P(m' -> m)

with l the probability to leave after a session in that mood (.005, .40), and P(o | m) = .90 where the order
is the mood's own, else .10.

**Silence.** After session k the user has left with probability p = sum over m of a_k(m) l(m), before anything
is known of the silence. One who stayed comes back after a Gamma(2) gap of mean m, with survival
S(t) = (1 + 2t/m) exp(-2t/m). A silence of s happens with probability 1 to those who left and S(s) to those
who stayed; a silence of s + H with 1 and S(s + H). By Bayes' rule

    P(no event in [T, T + H) | silent for s) = (p + (1 - p) S(s + H)) / (p + (1 - p) S(s)).

**Within a session.** Pauses last at most 90 s, so a shorter silence may be a pause. The order is known from
the first action, and with it the probability e that the last action seen is the session's last: 1 after a
purchase, .6 where only a purchase can follow, .7 · .6 where a removal and a purchase can, else 0. A pause
outlasts s seconds with R(s) = (90 - s) / 70, held within 0 and 1, and ends with an event within H
(which is at least 90 s), so

    P = e (p + (1 - p) S(s + H)) / (e (p + (1 - p) S(s)) + (1 - e) R(s)),

which is the formula above where s is 90 s or longer. Censoring does not enter: the answer looks back from T
alone, and about [T, T + H) whether or not the span lasts that long. Of users whose last event would come
after the span's end no leave time is known.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.data.datasets.simulated.actions import ADD, BUY, REMOVE, SEARCH, Actions
from streamer.data.datasets.simulated.draws import Floats, Integers
from streamer.data.datasets.simulated.sessions import (
    DRIFTING_TO_LOYAL,
    LEAST_PAUSE_S,
    LEAVING_DRIFTING,
    LEAVING_LOYAL,
    LONGEST_PAUSE_S,
    LOYAL_TO_DRIFTING,
    OTHER_ORDER,
    PURCHASE,
    REMOVAL,
    Booleans,
    Sessions,
)


class Truth(NamedTuple):
    """What is true of each user, ``[users]``; times since the span began."""

    left_ms: Floats  # time of the last event of those who left within the span, else NaN
    probability: list[Floats]  # of no event within H, by cut; NaN where no event came before


def drifting_after(sessions: Sessions) -> Floats:
    """a_j(drifting) of each session j, ``[sessions]``."""
    posterior = np.zeros(len(sessions.user))
    by_number = np.argsort(sessions.number, kind="stable")
    bounds = np.cumsum(np.bincount(sessions.number))
    for begin, end in pairwise(bounds):
        rows = by_number[begin:end]
        before = posterior[rows - 1]
        from_drifting = before * (1 - LEAVING_DRIFTING)
        from_loyal = (1 - before) * (1 - LEAVING_LOYAL)
        drifting = from_drifting * (1 - DRIFTING_TO_LOYAL) + from_loyal * LOYAL_TO_DRIFTING
        loyal = from_drifting * DRIFTING_TO_LOYAL + from_loyal * (1 - LOYAL_TO_DRIFTING)
        drifting *= np.where(sessions.reversed[rows], 1 - OTHER_ORDER, OTHER_ORDER)
        loyal *= np.where(sessions.reversed[rows], OTHER_ORDER, 1 - OTHER_ORDER)
        posterior[rows] = drifting / (drifting + loyal)
    return posterior


def truth_of(
    sessions: Sessions, actions: Actions, users: int, span_ms: int, cuts_ms: list[int], horizon_ms: int
) -> Truth:
    """The truth at each of ``cuts_ms`` about an event in [cut, cut + horizon); a horizon is at least 90 s."""
    leaving = LEAVING_LOYAL + (LEAVING_DRIFTING - LEAVING_LOYAL) * drifting_after(sessions)
    ends = actions.time_ms[sessions.first_action + sessions.actions - 1]
    left = np.full(users, np.nan)
    gone = sessions.last & (ends < span_ms)
    left[sessions.user[gone]] = ends[gone]
    probability: list[Floats] = []
    for cut in cuts_ms:
        newest = _newest_before(sessions, actions, users, cut)
        seen = newest >= 0
        answer = np.full(users, np.nan)
        answer[seen] = _no_event(sessions, actions, leaving, newest[seen], cut, horizon_ms)
        probability.append(answer)
    return Truth(left, probability)


def _newest_before(sessions: Sessions, actions: Actions, users: int, cut: int) -> Integers:
    """Row of each user's newest action before ``cut``, ``[users]``, -1 where there is none."""
    newest = np.full(users, -1)
    # A user's actions lie in the order of time, so that the newest is written last.
    rows = np.flatnonzero(actions.time_ms < cut)
    np.maximum.at(newest, sessions.user[actions.session[rows]], rows)
    return newest


def _no_event(
    sessions: Sessions, actions: Actions, leaving: Floats, newest: Integers, cut: int, horizon_ms: int
) -> Floats:
    session = actions.session[newest]
    silence = (cut - actions.time_ms[newest]).astype(np.float64)
    p, mean_gap = leaving[session], sessions.mean_gap_ms[session]
    silent_until_now = p + (1 - p) * _gap_survival(silence, mean_gap)
    silent_throughout = p + (1 - p) * _gap_survival(silence + horizon_ms, mean_gap)
    complete = _session_complete(sessions.reversed[session], actions.kind[newest])
    pause_s = silence / 1000
    outlasts = (LONGEST_PAUSE_S - pause_s) / (LONGEST_PAUSE_S - LEAST_PAUSE_S)
    pausing = (1 - complete) * np.clip(outlasts, 0.0, 1.0)
    finished = np.where(pausing > 0, complete, 1.0)
    return finished * silent_throughout / (finished * silent_until_now + pausing)


def _gap_survival(time_ms: Floats, mean_gap_ms: Floats) -> Floats:
    scaled = 2 * time_ms / mean_gap_ms
    return (1 + scaled) * np.exp(-scaled)


def _session_complete(reversed_order: Booleans, kind: npt.NDArray[np.uint8]) -> Floats:
    """Probability that a session ends with its last action seen, from its order and that action's kind."""
    no_purchase = 1 - PURCHASE
    loyal = np.select([kind == ADD, kind == REMOVE], [(1 - REMOVAL) * no_purchase, no_purchase], 0.0)
    drifting = np.where(kind == SEARCH, no_purchase, 0.0)
    return np.where(kind == BUY, 1.0, np.where(reversed_order, drifting, loyal))
