"""The state of one user, and its bytes in the table and the changelog."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from schemas.errors import StateError
from streamer.core.alerts.alert_state import AlertState
from streamer.core.history.aggregates import count_late, empty, with_usual
from streamer.core.history.aggregates_row import alone
from streamer.core.history.token import PURCHASE, as_array, newest_action

STATE_VERSION = 3

_LAST_TIME = alone("last_time")
_LAST_PURCHASE = alone("last_purchase_time")
_VISIT_DAYS = alone("visit_days")
NO_AGGREGATES: bytes = empty(1).tobytes()


class Scores(NamedTuple):
    """What a model makes of a user at a moment; see :class:`UserState`."""

    risk: float
    absence: float
    loss: float
    signal: float
    usual_visit_days: float
    usual_spend: float


class UserState(msgspec.Struct, array_like=True, gc=False):
    """Everything kept of one user.

    Aggregates are packed float64 columns (:mod:`streamer.core.history.aggregates`): ``base`` of all that left
    the ring, empty while nothing has, ``running`` of the whole history. ``placed`` counts the tokens ever
    placed in the ring. ``hidden`` (packed float32) is what the model named ``model`` made of the newest
    token. ``offset`` is that of the newest record applied.

    As of ``scored_ms``: ``risk``, by the model's definition of who is being lost, ``absence``, the
    probability of no event within the horizon, ``loss``, the money expected to be lost, and ``signal``, that
    of them which alerts go by. ``usual_visit_days`` and ``usual_spend`` are a day's. Each is NaN where it is
    not known.

    ``curve`` and ``signal_curve`` (packed float32) are absence and the signal at the silence grid's steps:
    the first is empty until the user has been silent for the first of them, the second also where the first
    is what alerts go by.
    """

    version: int = STATE_VERSION
    ring: bytes = b""
    base: bytes = b""
    running: bytes = NO_AGGREGATES
    time_before_ring: float = math.nan
    placed: int = 0
    hidden: bytes = b""
    model: bytes = b""
    offset: int = -1
    risk: float = math.nan
    scored_ms: int = 0
    curve: bytes = b""
    deadline_ms: int = 0
    alert_state: AlertState = msgspec.field(default_factory=AlertState)
    absence: float = math.nan
    loss: float = math.nan
    signal: float = math.nan
    usual_visit_days: float = math.nan
    usual_spend: float = math.nan
    signal_curve: bytes = b""

    @property
    def past(self) -> bytes:
        """Aggregates of all that left the ring."""
        return self.base or NO_AGGREGATES

    @property
    def last_ms(self) -> int:
        """Event time of the customer's newest action, epoch milliseconds; before any, of the first event."""
        return int(_LAST_TIME.unpack_from(self.running)[0])

    @property
    def active_days(self) -> int:
        """Distinct days with an action of the customer."""
        return int(_VISIT_DAYS.unpack_from(self.running)[0])

    def has_just_bought(self, now_ms: int, silence_ms: int) -> bool:
        """Whether the customer's newest action is a purchase, less than ``silence_ms`` before ``now_ms``."""
        return now_ms - self.last_ms < silence_ms and newest_action(self.ring) == PURCHASE

    def count_late(self, token: bytes) -> None:
        """Count an event older than everything kept into the sums that no order changes."""
        late = as_array(token)
        self.base = count_late(np.frombuffer(self.past)[np.newaxis], late).tobytes()
        self.running = count_late(np.frombuffer(self.running)[np.newaxis], late).tobytes()

    def last_visit_ms(self, any_event_returns: bool) -> int:
        """When the user last gave the sign of life whose absence is churn, epoch ms; 0 if never."""
        if any_event_returns:
            return self.last_ms
        bought_ms = float(_LAST_PURCHASE.unpack_from(self.running)[0])
        return 0 if math.isnan(bought_ms) else int(bought_ms)

    def scores(self) -> Scores:
        """As of ``scored_ms``."""
        return Scores(
            self.risk, self.absence, self.loss, self.signal, self.usual_visit_days, self.usual_spend
        )

    def note(self, scores: Scores) -> None:
        """Take ``scores`` for those of the user."""
        self.risk, self.absence, self.loss, self.signal, self.usual_visit_days, self.usual_spend = scores

    @property
    def gap_days(self) -> float:
        """Days that usually lie between two visits, a day at least."""
        return max(1.0, 1.0 / self.usual_visit_days)

    def drop_curves(self) -> None:
        """Forget what belonged to a silence that is over, or to another model."""
        self.curve = self.signal_curve = b""

    def absence_curve(self) -> list[float]:
        """Probabilities at the silence grid's steps, empty while the user is not silent."""
        return _floats(self.curve)

    def followed_curve(self) -> list[float]:
        """What alerts go by at the silence grid's steps."""
        return _floats(self.signal_curve or self.curve)


def _floats(packed: bytes) -> list[float]:
    return np.frombuffer(packed, np.float32).astype(np.float64).tolist()


def _estimate_usual(state: UserState) -> None:
    """Give a state of version 2 the decayed sums that it lacks, where the rates of the last weeks go on."""
    state.base, state.running = with_usual(state.base), with_usual(state.running)
    state.curve = np.frombuffer(state.curve).astype(np.float32).tobytes()
    state.absence = state.signal = state.risk


UPGRADES: Mapping[int, Callable[[UserState], None]] = {2: _estimate_usual}
"""How a state of the version before, by its number, becomes one of this version, in place.

While workers are upgraded one by one, what the older ones wrote is read by the newer ones. A new version
appends fields with defaults; what they are for a state that lacks them is set here.
"""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(UserState)
_parts_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode_state(state: UserState) -> bytes:
    """The state as one MessagePack array; the version comes first."""
    return _encoder.encode(state)


def decode_state(stored: bytes) -> UserState:
    """The state in ``stored``, of this version or of one in :data:`UPGRADES`; it is written back in this one.

    Raises:
        StateError: the bytes are damaged or were written by another version of this program.
    """
    try:
        state = _decoder.decode(stored)
    except (msgspec.MsgspecError, RecursionError) as error:
        version = _stored_version(stored)
        if version is not None and version != STATE_VERSION and version not in UPGRADES:
            raise _other_version(version) from error
        raise StateError(
            f"a stored user state is damaged ({error}); delete the local store so that it is recovered "
            "from the changelog"
        ) from error
    if state.version != STATE_VERSION:
        _bring_up(state)
    return state


def _bring_up(state: UserState) -> None:
    upgrade = UPGRADES.get(state.version)
    if upgrade is None:
        raise _other_version(state.version)
    upgrade(state)
    state.version = STATE_VERSION


def _stored_version(stored: bytes) -> int | None:
    try:
        return msgspec.msgpack.decode(_parts_decoder.decode(stored)[0], type=int)
    except (msgspec.MsgspecError, IndexError, RecursionError):
        return None


def _other_version(version: int) -> StateError:
    repair = (
        "start the release that wrote it, or a newer one"
        if version > STATE_VERSION
        else "let the release in between run first, for an hour, in which it writes every state anew"
    )
    readable = " and ".join(str(each) for each in (*UPGRADES, STATE_VERSION))
    return StateError(f"a stored user state has version {version}, this program reads {readable}; {repair}")
