"""The guard against knowing the future: what a cut is judged on may not change when the future is removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories, aggregates_at
from models.data.moments import Moments
from models.evaluation.candidates import Candidate
from models.evaluation.cut import Cut
from streamer.core.model.features import FEATURES, features_at

_MOST_USERS: Final = 500
_TOLERANCE: Final = 1e-5


def without_future(cut: Cut, rows: npt.NDArray[np.int64]) -> Cut:
    """The users of ``rows`` at the same cut, from files that end right before it; outcomes are unknown."""
    starts = cut.histories.starts[cut.user[rows]]
    kept = cut.event[rows] + 1 - starts
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    tokens = cut.histories.tokens[np.repeat(starts, kept) + within]
    ends = np.cumsum(kept)
    past = Histories(tokens, np.concatenate([[0], ends]), cut.histories.calendar)
    assert not len(tokens) or int(past.times.max()) < cut.at_ms, "an event of the cut is not before it"
    moments = Moments(ends - 1, np.full(len(rows), float(cut.at_ms)))
    features = features_at(aggregates_at(past, moments.event), moments.time_ms)
    return Cut(cut.at_ms, past, moments.event, features, np.full(len(rows), np.nan, np.float32))


def leaks(cut: Cut, candidates: Mapping[str, Candidate]) -> list[str]:
    """Features and candidates that say something else of a cut once all that comes after it is gone.

    Some hundred users, spread evenly, stand for all.
    """
    count = len(cut.event)
    rows = np.unique(np.linspace(0, count - 1, min(count, _MOST_USERS)).astype(np.int64))
    past = without_future(cut, rows)
    same = np.isclose(past.features, cut.features[rows], atol=_TOLERANCE, equal_nan=True)
    found = [f"feature {FEATURES[column]}" for column in np.flatnonzero(~same.all(axis=0))]
    chosen = cut._replace(event=cut.event[rows], features=cut.features[rows], churned=cut.churned[rows])
    for name, candidate in candidates.items():
        if not np.allclose(candidate(chosen), candidate(past), atol=_TOLERANCE):
            found.append(name)
    return found
