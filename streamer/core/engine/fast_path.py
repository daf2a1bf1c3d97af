"""Users to whom nothing happens but events: what the rules do for one of them, done for all at once.

An event is ordinary if it is the user's own and newest, no decision is due before or by it, no alert is open
or on its way, and the risk after it reaches no band. All that :mod:`streamer.core.engine.user_process` does
with such an event is to take it into the user's state and to put the deadline off. That is most events of
most users, so here they are taken in as whole arrays, each user's up to the first that is not ordinary; the
rules go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from streamer.core.engine.batch_context import BatchContext
from streamer.core.engine.batch_scoring import note
from streamer.core.engine.grouped_events import GroupedEvents
from streamer.core.engine.ragged import Ragged
from streamer.core.engine.scan import Scan, scan
from streamer.core.history.packed import packed_rows
from streamer.core.history.token import PURCHASE, TOKEN_BYTES, TokenArray, are_actions, as_array
from streamer.core.model.assessment import Assessment, assess
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.core.timing.clock import NEVER_MS
from streamer.core.user_state import UserState

_Flags = npt.NDArray[np.bool_]

_KEY: Final = np.dtype([("time", "<i8"), ("event", "<u4")])
_BEHIND_KEY: Final = _KEY.itemsize - TOKEN_BYTES
_LOWEST_KEY: Final = np.array([(-(2**63), 0)], _KEY).tobytes()


class FastPathUser(Struct, frozen=True, gc=False):
    """What was done for one user: so many ``events`` were taken into ``state``.

    ``alarming``: the risk after the last of them reaches a band, about which the rules have to decide.
    ``over``: the batch has nothing else for the user, neither an event nor a deadline.
    """

    state: UserState
    events: int
    alarming: bool
    over: bool


class _Candidates(NamedTuple):
    """Users with events: ``users`` are the rows of ``tokens``, ``offsets`` and ``horizons_ms`` of each.

    ``totals`` ``[users]``: events that the batch has of each.
    """

    user_ids: list[str]
    states: list[UserState]
    users: Ragged
    totals: npt.NDArray[np.int64]
    tokens: TokenArray
    offsets: npt.NDArray[np.int64]
    horizons_ms: npt.NDArray[np.int64]


def take_fast_path(
    states: Mapping[str, UserState | None], grouped: GroupedEvents, context: BatchContext, model: RiskModel
) -> dict[str, FastPathUser]:
    """Take each user's first events into the user's state, as long as they are ordinary.

    ``states``: of every user with an event, ``None`` for a new one; the values are updated in place.
    """
    candidates = _with_nothing_open(states, grouped, context, model.identity)
    ordinary = candidates and _with_ordinary_events(candidates, context)
    if ordinary is None:
        return {}
    scanned = scan(ordinary.states, ordinary.tokens, ordinary.users, context.ring_tokens, context.calendar)
    encodings = [
        Encoding(user_id, ring, state.placed + count - 1, before, True, count)
        for user_id, state, ring, before, count in zip(
            ordinary.user_ids,
            ordinary.states,
            scanned.longer_rings,
            scanned.time_before_ring[ordinary.users.starts].tolist(),
            ordinary.users.counts.tolist(),
            strict=True,
        )
    ]
    hidden = model.encode(encodings)
    moments = ordinary.tokens["time"].astype(np.float64)
    assessed = assess(model, scanned.running, hidden, moments)
    return _settle(ordinary, scanned, hidden, assessed, context, model.identity)


def _with_nothing_open(
    states: Mapping[str, UserState | None], grouped: GroupedEvents, context: BatchContext, identity: bytes
) -> _Candidates | None:
    """Those of whom no alert is open or on its way, and whose ring and hidden vector are this model's."""
    numbers: list[int] = []
    user_ids: list[str] = []
    chosen: list[UserState] = []
    full = context.ring_tokens * TOKEN_BYTES
    for number, user_id in enumerate(grouped.user_ids):
        state = states[user_id]
        if state is None:
            state = UserState(deadline_ms=-NEVER_MS)
        elif not (
            state.alert_state.is_idle
            and (state.model == identity or not state.model)
            and len(state.ring) <= full
        ):
            continue
        numbers.append(number)
        user_ids.append(user_id)
        chosen.append(state)
    if not chosen:
        return None
    is_chosen = np.zeros(len(grouped.user_ids), np.bool_)
    is_chosen[numbers] = True
    events = np.flatnonzero(is_chosen[grouped.users.numbers])
    counts = grouped.users.counts[numbers]
    horizons_ms = np.array(context.horizons_ms)[grouped.records[events]]
    tokens, offsets = grouped.tokens[events], grouped.offsets[events]
    return _Candidates(user_ids, chosen, Ragged(counts), counts, tokens, offsets, horizons_ms)


def _with_ordinary_events(candidates: _Candidates, context: BatchContext) -> _Candidates | None:
    """Each one's first events that are ordinary as far as one can tell without the model."""
    users = candidates.users
    in_turn = _in_order(candidates) & _new(candidates, context) & _undue(candidates, context)
    ordinary = users.first(~(in_turn & are_actions(candidates.tokens)))
    some = np.flatnonzero(ordinary)
    if not len(some):
        return None
    kept = users.ranks < ordinary[users.numbers]
    return _Candidates(
        [candidates.user_ids[user] for user in some.tolist()],
        [candidates.states[user] for user in some.tolist()],
        Ragged(ordinary[some]),
        candidates.totals[some],
        candidates.tokens[kept],
        candidates.offsets[kept],
        candidates.horizons_ms[kept],
    )


def _in_order(candidates: _Candidates) -> _Flags:
    """Whether each event comes behind its user's event before, in the order of rings."""
    keys = [state.ring[-TOKEN_BYTES:_BEHIND_KEY] or _LOWEST_KEY for state in candidates.states]
    newest = np.frombuffer(b"".join(keys), _KEY)
    time, event = candidates.tokens["time"], candidates.tokens["event"]
    time_before = candidates.users.before(time, newest["time"])
    event_before = candidates.users.before(event, newest["event"])
    return (time > time_before) | ((time == time_before) & (event >= event_before))


def _new(candidates: _Candidates, context: BatchContext) -> _Flags:
    """Whether each event is certainly not in its user's ring, nor a second time in this batch."""
    users, hashes = candidates.users.numbers, candidates.tokens["event"]
    # No event's hash is 0, so rings may be filled up with it.
    full = context.ring_tokens * TOKEN_BYTES
    rings = b"".join([state.ring.rjust(full, b"\0") for state in candidates.states])
    held = as_array(rings)["event"].reshape(-1, context.ring_tokens)
    first = np.zeros(len(users), np.bool_)
    first[np.unique(users << 32 | hashes, return_index=True)[1]] = True
    return first & ~(held[users] == hashes[:, np.newaxis]).any(axis=1)


def _undue(candidates: _Candidates, context: BatchContext) -> _Flags:
    """Whether no decision is due by each event, neither one from before nor one that it leads to."""
    deadlines = candidates.tokens["time"] + _wait_ms(context)
    before = np.array([state.deadline_ms for state in candidates.states])
    horizons = candidates.horizons_ms
    return (candidates.users.before(deadlines, before) > horizons) & (deadlines > horizons)


def _settle(
    ordinary: _Candidates,
    scanned: Scan,
    hidden: npt.NDArray[np.float32],
    assessed: Assessment,
    context: BatchContext,
    identity: bytes,
) -> dict[str, FastPathUser]:
    """Give each user the state after the last ordinary event, or after the first that is alarming."""
    users, wait_ms = ordinary.users, _wait_ms(context)
    alarming = _alarming(ordinary.tokens, assessed, context)
    events = np.minimum(users.first(alarming) + 1, users.counts)
    last = users.starts + events - 1
    times, alarms = ordinary.tokens["time"][last], alarming[last]
    over = ~alarms & (events == ordinary.totals) & (times + wait_ms > context.horizons_ms[-1])
    counts, alarmed = events.tolist(), alarms.tolist()
    taken = map(FastPathUser, ordinary.states, counts, alarmed, over.tolist())
    full, stamp = context.ring_tokens * TOKEN_BYTES, context.stamp
    note(ordinary.states, assessed.at(last), context.policy.alert_by)
    visited = _visited(ordinary.tokens, users.starts, last, context.any_event_returns).tolist()
    for state, count, alarm, longer, left_over, running, row, returned, time, offset in zip(
        ordinary.states,
        counts,
        alarmed,
        scanned.longer_rings,
        (TOKEN_BYTES * (users.counts - events)).tolist(),
        packed_rows(scanned.running[last]),
        packed_rows(hidden[last]),
        visited,
        times.tolist(),
        ordinary.offsets[last].tolist(),
        strict=True,
    ):
        end = len(longer) - left_over
        state.ring = longer[end - full if end > full else 0 : end]
        state.running, state.placed = running, state.placed + count
        state.hidden, state.model = row, identity
        state.offset, state.scored_ms, state.curve, state.signal_curve = offset, time, b"", b""
        if returned:
            state.alert_state.obstacle = None
        if not alarm:
            state.deadline_ms, state.alert_state.stamp = time + wait_ms, stamp
    lost = np.flatnonzero(scanned.displaced[last])
    past = zip(
        lost.tolist(),
        packed_rows(scanned.base[last[lost]]),
        scanned.time_before_ring[last[lost]].tolist(),
        strict=True,
    )
    for user, base, before in past:
        ordinary.states[user].base, ordinary.states[user].time_before_ring = base, before
    return dict(zip(ordinary.user_ids, taken, strict=True))


def _alarming(tokens: TokenArray, assessed: Assessment, context: BatchContext) -> _Flags:
    """After which events the rules have to decide about an alert before the next deadline."""
    policy = context.policy
    alarming = (assessed.signals(policy.alert_by) >= policy.least_signal) & (tokens["type"] != PURCHASE)
    if assessed.usual is not None:
        alarming &= assessed.usual.overdue_from_ms(policy.least_overdue) < tokens["time"] + _wait_ms(context)
    return alarming


def _visited(
    tokens: TokenArray, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], any_event_returns: bool
) -> _Flags:
    """Whose events from ``first`` to ``last`` have one of the churn kind among them."""
    if any_event_returns:
        return np.ones(len(last), np.bool_)
    purchases = np.concatenate([[0], np.cumsum(tokens["type"] == PURCHASE)])
    return purchases[last + 1] > purchases[first]


def _wait_ms(context: BatchContext) -> int:
    """From an event to its user's next deadline while there is no alert."""
    return min(context.policy.expiry_ms, context.silence_grid_ms[0])
