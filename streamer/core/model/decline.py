"""What decline means to a model, and the money that is expected to be lost by it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.bundle.decline import LossMethod
from schemas.bundle.manifest import ChurnTypes, Manifest
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean
from streamer.core.model.answers import Answers

Floats = npt.NDArray[np.float64]


class LossTerms(NamedTuple):
    """How expected loss is found; ``scale`` is what it is multiplied with."""

    method: LossMethod
    scale: float = 1.0


class DeclineTerms(NamedTuple):
    """Of a model that foretells decline within ``window_ms``.

    ``shop``: what is usual there; ``churn_types``: the events whose days are visits. ``loss``: ``None`` where
    amounts are not known.
    """

    window_ms: int
    shop: ShopMean
    churn_types: ChurnTypes
    loss: LossTerms | None = None


def decline_terms(manifest: Manifest) -> DeclineTerms | None:
    """Of the bundle's model; ``None`` where it foretells absence alone."""
    outputs, loss = manifest.decline, manifest.expected_loss
    if outputs is None or manifest.definition == "absence":
        return None
    return DeclineTerms(
        round(outputs.window_days * DAY_MS),
        ShopMean(*msgspec.structs.astuple(outputs.usual)),
        manifest.churn_definition.types,
        None if loss is None else LossTerms(loss.method, loss.scale),
    )


def expected_loss(answers: Answers, usual_spend: Floats, terms: DeclineTerms) -> Floats:
    """Money ``[queries]`` that is expected to be lost within the window; NaN where nothing is usual.

    ``usual_spend`` ``[queries]``: a day. Never more than is usual, and below 0 for whom more is expected. Of
    single precision, so that curves keep it to the bit.
    """
    if terms.loss is None:
        return np.full(len(usual_spend), np.nan)
    usual = usual_spend * (terms.window_ms / DAY_MS)
    loss = np.minimum(terms.loss.scale * _unscaled(answers, usual, terms.loss.method), usual)
    return loss.astype(np.float32).astype(np.float64)


def _unscaled(answers: Answers, usual: Floats, method: LossMethod) -> Floats:
    if method == "absence":
        return answers.absence * usual
    assert answers.decline is not None
    assert answers.spend is not None
    return answers.decline * usual if method == "decline" else usual - answers.spend
