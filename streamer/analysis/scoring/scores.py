"""Every user's risk at one moment, from the states that the stage keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.core.engine.batch_scoring import answer_risks
from streamer.core.engine.model_requests import RiskAt
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState
from streamer.worker.stage.messages import FIGURE_DECIMALS, PROBABILITY_DECIMALS

_USERS_AT_ONCE = 8_192


class UserScore(Struct, frozen=True):
    """A user's risk, as ``churn.scores.v1`` would show it.

    What follows on ``last_event_at`` is told where the risk is that of a decline, the last two where anything
    is usual for the user.
    """

    user_id: str
    risk: float
    horizon_days: float
    last_event_at: str
    absence: float | None = None
    expected_loss: float | None = None
    overdue: float | None = None


def scores_at(
    users: Mapping[str, UserState],
    moments_ms: Mapping[str, int],
    model: RiskModel,
    days: float,
    *,
    any_event_returns: bool,
) -> list[UserScore]:
    """The users' risks within so many ``days``, each at its own moment (epoch ms, from the last event on).

    Highest risk first, equal risks by user id. The states' own risks are set to the result.
    """
    requests = iter([RiskAt(user_id, state, moments_ms[user_id]) for user_id, state in users.items()])
    while asked := list(islice(requests, _USERS_AT_ONCE)):
        answer_risks(asked, model, "probability")
    scores = [
        UserScore(
            user_id,
            round(state.risk, PROBABILITY_DECIMALS),
            days,
            format_timestamp(state.last_ms),
            *_of_decline(state, moments_ms[user_id], model, any_event_returns),
        )
        for user_id, state in users.items()
    ]
    return sorted(scores, key=lambda score: (-score.risk, score.user_id))


def _of_decline(
    state: UserState, now_ms: int, model: RiskModel, any_event_returns: bool
) -> tuple[float | None, float | None, float | None]:
    """Absence, expected loss and overdue, as far as they are known."""
    if model.decline is None:
        return None, None, None
    absence = round(state.absence, PROBABILITY_DECIMALS)
    if math.isnan(state.usual_visit_days):
        return absence, None, None
    loss = None if math.isnan(state.loss) else round(state.loss, FIGURE_DECIMALS)
    overdue = max(now_ms - state.last_visit_ms(any_event_returns), 0) / DAY_MS / state.gap_days
    return absence, loss, round(overdue, FIGURE_DECIMALS)
