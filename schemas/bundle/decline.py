"""What a bundle tells of decline: what is usual, its outputs, and the money expected to be lost."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bundle.bands import Amount, BandAlerts, BandAmounts

LossMethod = Literal["absence", "decline", "spend"]
"""How a customer's expected loss is found, the simplest first. The usual spend of the window times the
probability of absence, which every bundle knows, or of a decline; or the usual spend less what is expected to
be spent.
"""


class Calibration(Struct, frozen=True):
    """What turns the network's logit into a probability; the method says what the parameters mean."""

    method: Literal["none", "platt"]
    parameters: tuple[float, ...] = ()


class UsualInShop(Struct, frozen=True):
    """What customers usually do a day, and how many days of it each one's own history is joined with.

    ``spend`` is in the currency of the data; it is 0 where no amounts are known.
    """

    visit_days: Annotated[float, Meta(ge=0)]
    visit_strength_days: Annotated[float, Meta(ge=0)]
    spend: Annotated[float, Meta(ge=0)]
    spend_strength_days: Annotated[float, Meta(ge=0)]


class DeclineOutputs(Struct, frozen=True, kw_only=True):
    """What the query graph's ``decline`` and ``spend`` mean.

    ``decline``: the probability of fewer than half of a customer's usual visit days within ``window_days``;
    ``spend``: the amount expected in them. ``calibration`` is that of the former.
    """

    window_days: Annotated[float, Meta(gt=0)]
    usual: UsualInShop
    calibration: Calibration
    spend_scale: Annotated[float, Meta(gt=0)]


class LossFigures(Struct, frozen=True, kw_only=True):
    """What alerts by one method would have been worth on the validation data.

    ``shortfall``: money an alert, against the shop's level. ``behind``: how much less that is than by the
    best method, with its standard error.
    """

    method: LossMethod
    shortfall: float
    behind: float
    behind_error: float


class ExpectedLoss(Struct, frozen=True, kw_only=True):
    """How expected loss is found, in money over the window, and where bands begin that go by it.

    ``scale``: what it is multiplied with, so that it is what was lost by those who were asked about last.
    ``methods``: of all, the simplest first; empty where they were not compared.
    """

    method: LossMethod
    scale: Amount
    edges: BandAmounts
    alerts_a_week: Annotated[BandAlerts | None, Meta(description="null: not measured")] = None
    methods: tuple[LossFigures, ...] = ()
