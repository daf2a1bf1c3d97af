"""What following one user asks for; carried out for many users at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from streamer.core.alerts.decisions import Driver
from streamer.core.history.ring import Placed
from streamer.core.model.outlook import NO_OUTLOOK, Outlook
from streamer.core.user_state import UserState


class PlaceToken(NamedTuple):
    """Take a token that ``placed`` put into the user's ring into ``state``.

    Sets aggregates, hidden vector, and the scores at the user's newest event.
    """

    user_id: str
    state: UserState
    token: bytes
    placed: Placed


class Curve(NamedTuple):
    """Set the curves of ``state``, and its scores at the first step of the silence grid."""

    user_id: str
    state: UserState


class RiskAt(NamedTuple):
    """Set the scores of ``state`` at ``now_ms``, epoch milliseconds, not before the newest event."""

    user_id: str
    state: UserState
    now_ms: int


@dataclass
class Explain:
    """Say why ``state.risk``, the risk as of ``state.scored_ms``, is so high, and what is to be expected.

    Sets ``drivers`` and ``outlook``.

    ``any_event_returns``: churn is the absence of any event, not of purchases.
    """

    user_id: str
    state: UserState
    any_event_returns: bool
    drivers: tuple[Driver, ...] = ()
    outlook: Outlook = NO_OUTLOOK


@dataclass
class Rank:
    """Compete for the alert budget of the day that ends at ``day_ms``; sets ``granted``.

    ``value``: the money at risk; the highest win.
    """

    user_id: str
    day_ms: int
    value: float
    granted: bool = False


Request = PlaceToken | Curve | RiskAt | Explain | Rank
