"""Every user's risk at one moment, from the states that the stage keeps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from schemas.timestamps import format_timestamp
from streamer.core.engine.batch_scoring import answer_risks
from streamer.core.engine.model_requests import RiskAt
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState
from streamer.worker.stage.messages import PROBABILITY_DECIMALS

_USERS_AT_ONCE = 8_192


class UserScore(Struct, frozen=True):
    """A user's risk, as ``churn.scores.v1`` would show it."""

    user_id: str
    risk: float
    horizon_days: float
    last_event_at: str


def scores_at(
    users: Mapping[str, UserState], moments_ms: Mapping[str, int], model: RiskModel, days: float
) -> list[UserScore]:
    """The users' risks within so many ``days``, each at its own moment (epoch ms, from the last event on).

    Highest risk first, equal risks by user id. The states' own risks are set to the result.
    """
    requests = iter([RiskAt(user_id, state, moments_ms[user_id]) for user_id, state in users.items()])
    while asked := list(islice(requests, _USERS_AT_ONCE)):
        answer_risks(asked, model, "probability")
    scores = [
        UserScore(user_id, round(state.risk, PROBABILITY_DECIMALS), days, format_timestamp(state.last_ms))
        for user_id, state in users.items()
    ]
    return sorted(scores, key=lambda score: (-score.risk, score.user_id))
