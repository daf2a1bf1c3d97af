"""What else a bundle foretells, judged on the same cuts: the next action, and the money to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.evaluation.candidates import encodings_of
from models.evaluation.cut import Cut
from models.fit.rank_correlation import rank_correlation
from streamer.core.history.token import PURCHASE, REFUND
from streamer.core.model.risk_model import Encoding

HeadFigures = Callable[[Cut], Mapping[str, float]]
"""Figures by name of whatever heads a bundle has; none where it has none, or a cut does not tell."""

_USERS_AT_ONCE: Final = 4096
_LEAST_PROBABILITY: Final = 1e-6


class Foretold(NamedTuple):
    """``spend`` ``[users]``: money within the horizon, less refunds. ``action`` ``[users, types]``: chances
    of the next event's type. ``None`` for a head that the bundle has not.
    """

    spend: npt.NDArray[np.float32] | None
    action: npt.NDArray[np.float32] | None


Foretell = Callable[[Sequence[Encoding], npt.NDArray[np.float32]], Foretold]
"""What a bundle foretells of users, from their rings and their features ``[users, len(FEATURES)]``."""


def no_heads(cut: Cut) -> Mapping[str, float]:  # noqa: ARG001 - the callable's
    """Of a bundle that foretells nothing but risk."""
    return {}


def head_figures(foretell: Foretell, ring_tokens: int, horizon_ms: int) -> HeadFigures:
    """``spend_spearman``: rank correlation of the money foretold with that of the horizon, less refunds.

    ``next_action_perplexity``: of how many equally likely types the next event, whenever it comes, is as hard
    to tell; of users who have one in the files.
    """

    def figures(cut: Cut) -> Mapping[str, float]:
        spend: list[npt.NDArray[np.float32]] = []
        action: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(cut.event), _USERS_AT_ONCE):
            part = slice(start, start + _USERS_AT_ONCE)
            foretold = foretell(encodings_of(cut, part, ring_tokens), cut.features[part])
            if foretold.spend is not None:
                spend.append(foretold.spend)
            if foretold.action is not None:
                action.append(foretold.action)
        found: dict[str, float] = {}
        if spend and (correlation := _spearman(np.concatenate(spend), spent(cut, horizon_ms))) is not None:
            found["spend_spearman"] = correlation
        if action and (perplexity := _perplexity(cut, np.concatenate(action))) is not None:
            found["next_action_perplexity"] = perplexity
        return found

    return figures


def spent(cut: Cut, horizon_ms: int) -> npt.NDArray[np.float64]:
    """Money of the horizon's purchases less its refunds, ``[users]``; unknown amounts count nothing."""
    tokens, times = cut.histories.tokens, cut.histories.times
    value = np.nan_to_num(tokens["value"].astype(np.float64))
    within = (times >= cut.at_ms) & (times < cut.at_ms + horizon_ms)
    signs = np.where(tokens["type"] == PURCHASE, value, 0.0)
    signs -= np.where(tokens["type"] == REFUND, np.abs(value), 0.0)
    return np.add.reduceat(np.where(within, signs, 0.0), cut.histories.starts[:-1])[cut.user]


def _spearman(foretold: npt.NDArray[np.float32], actual: npt.NDArray[np.float64]) -> float | None:
    """``None`` where all of either are alike: there no rank is right or wrong."""
    if np.ptp(foretold) == 0 or np.ptp(actual) == 0:
        return None
    return rank_correlation(foretold, actual)


def _perplexity(cut: Cut, chances: npt.NDArray[np.float32]) -> float | None:
    following = cut.event + 1
    known = following < cut.histories.starts[cut.user + 1]
    if not known.any():
        return None
    types = cut.histories.tokens["type"][following[known]]
    probabilities = np.maximum(chances[known, types].astype(np.float64), _LEAST_PROBABILITY)
    return float(np.exp(-np.log(probabilities).mean()))
