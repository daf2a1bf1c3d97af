"""Whatever answers a cut with risks: a served model, a function of features, a network just trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from models.baselines.risk_model import FeatureRisk
from models.evaluation.cut import Cut
from models.evaluation.figures import Target
from streamer.core.model.risk_model import Encoding, RiskModel

Candidate = Callable[[Cut], npt.NDArray[np.float64]]
"""Risks ``[users]`` of a cut, from nothing but what lies before it."""

_USERS_AT_ONCE: Final = 4096


def of_features(risk: FeatureRisk) -> Candidate:
    """A risk that needs nothing but features."""
    return lambda cut: risk(cut.features)


def of_model(model: RiskModel, progress: Callable[[int], None], target: Target = "absence") -> Candidate:
    """A served model, asked as a worker asks it: hidden vectors rebuilt from the ring, then one query.

    The risks, those of ``target``, are those of ``streamer score``, bit by bit. ``progress`` is told how many
    users were scored.
    """

    def risks(cut: Cut) -> npt.NDArray[np.float64]:
        answers = np.empty(len(cut.event))
        for start in range(0, len(cut.event), _USERS_AT_ONCE):
            part = slice(start, start + _USERS_AT_ONCE)
            hidden = model.encode(encodings_of(cut, part, model.ring_tokens))
            answered = model.query(hidden, cut.features[part])
            risk = answered.absence if target == "absence" else answered.decline
            assert risk is not None, "the model does not foretell that"
            answers[part] = risk
            progress(len(hidden))
        return answers

    return risks


def encodings_of(cut: Cut, part: slice, ring_tokens: int) -> list[Encoding]:
    """Each user's ring at the cut. Every one is encoded from it alone, whatever is cached."""
    tokens, starts = cut.histories.tokens, cut.histories.starts
    made: list[Encoding] = []
    for event, user in zip(cut.event[part].tolist(), cut.user[part].tolist(), strict=True):
        begin = int(starts[user])
        first = max(begin, event + 1 - ring_tokens)
        before = float(tokens["time"][first - 1]) if first > begin else math.nan
        made.append(Encoding(str(user), tokens[first : event + 1].tobytes(), event - begin, before, False))
    return made
