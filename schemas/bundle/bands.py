"""Where bands begin, and how many alerts that brings."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.parts import Probability

Amount = Annotated[float, Meta(gt=0)]


class BandEdges(Struct, frozen=True):
    """Lowest risk of each band, a probability: ascending, none of them 0 or 1."""

    watch: Probability
    high: Probability
    critical: Probability


class BandAmounts(Struct, frozen=True):
    """Lowest expected loss of each band, in the currency of the data: ascending."""

    watch: Amount
    high: Amount
    critical: Amount


class BandAlerts(Struct, frozen=True):
    """How often a week each band was first reached on the validation data, of all users."""

    watch: Annotated[float, Meta(ge=0)]
    high: Annotated[float, Meta(ge=0)]
    critical: Annotated[float, Meta(ge=0)]
