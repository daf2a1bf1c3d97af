"""A model on trial: its risks for users whom another model has just scored, beside theirs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from streamer.core.alerts.policy import Policy
from streamer.core.history.packed import stacked
from streamer.core.model.assessment import assess
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.core.user_state import UserState


class TrialComparison(msgspec.Struct):
    """``scores``: how many were compared. ``difference`` and ``most``: of risks, added up and the largest.

    ``bands``: how many would lie in another band, by the model's own band edges.
    """

    scores: int = 0
    difference: float = 0.0
    most: float = 0.0
    bands: int = 0

    def add(
        self, users: Sequence[tuple[str, UserState]], trial: RiskModel, now: Policy, then: Policy
    ) -> None:
        """Ask ``trial`` for each user's risk at the moment of the user's newest one.

        ``now``, ``then``: the policies that go with the two models, whose days must be the same.
        """
        if not users:
            return
        encodings = [
            # What has come in between is found by the newest token that ``trial`` has seen of the user.
            Encoding(user_id, state.ring, state.placed - 1, state.time_before_ring, appended=True)
            for user_id, state in users
        ]
        states = [state for _, state in users]
        moments = np.array([state.scored_ms for state in states], dtype=np.float64)
        found = assess(trial, stacked([state.running for state in states]), trial.encode(encodings), moments)
        signals = found.signals(then.alert_by).tolist()
        for state, risk, signal in zip(states, found.risk.tolist(), signals, strict=True):
            difference = abs(risk - state.risk)
            self.scores += 1
            self.difference += difference
            self.most = max(self.most, difference)
            self.bands += now.level(state.signal) != then.level(signal)
