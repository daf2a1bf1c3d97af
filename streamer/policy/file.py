"""The alert policy as a TOML file: durations in days or hours, bands as risks or amounts, all optional."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.bundle.bands import BandAmounts, BandEdges
from schemas.bundle.manifest import Manifest
from schemas.errors import ConfigurationError
from schemas.timestamps import to_epoch_ms
from schemas.units import DAY_MS, HOUR_MS
from streamer.core.alerts.policy import Policy
from streamer.core.model.assessment import AlertBy

WIDEST_HYSTERESIS = 0.05
"""Of probabilities, where the file says nothing."""

LOSS_HYSTERESIS = 0.1
"""Of amounts, as a share of each edge, likewise."""

LEAST_OVERDUE = 1.0
"""Usual gaps without a visit, likewise, where the model knows what is usual."""

Edge = Annotated[float, Meta(gt=0)]
Days = Annotated[float, Meta(ge=0, le=3650)]
Hours = Annotated[float, Meta(ge=0, le=8760)]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a policy file may say."""

    alert_by: Annotated[
        AlertBy | None,
        Meta(
            description="What alerts go by: the expected loss, money, or the probability alone. Default: "
            "`loss` where the bundle foretells decline and was trained with amounts, else `probability`."
        ),
    ] = None
    watch: Annotated[
        Edge | None,
        Meta(description="Risk, or expected loss, at which the band begins. Default: the bundle's."),
    ] = None
    high: Annotated[Edge | None, Meta(description="The same of the next band. Default: the bundle's.")] = None
    critical: Annotated[
        Edge | None, Meta(description="The same of the highest band. Default: the bundle's.")
    ] = None
    least_overdue: Annotated[
        Annotated[float, Meta(ge=0, le=1000)] | None,
        Meta(
            description="Usual gaps without a visit before a customer can have an alert. Default: 1 where "
            "the bundle foretells decline; another knows of no usual gap."
        ),
    ] = None
    least_loss: Annotated[
        float,
        Meta(ge=0, description="Expected loss below which nobody is raised, where alerts go by it."),
    ] = 0.0
    hysteresis: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        Meta(
            description="How far below its edge a risk must fall to leave a band; of an expected loss a "
            "share of the edge. Default: 0.05, or half of `watch` where that is less; 0.1 of a loss."
        ),
    ] = None
    horizon_days: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="How long an alert is for; only the bundle's horizon, or window, is served."),
    ] = None
    raise_dwell_hours: Annotated[Hours, Meta(description="How long a risk must stay in a higher band.")] = 0.0
    leave_dwell_hours: Annotated[Hours, Meta(description="How long a risk must stay in a lower band.")] = 24.0
    cooldown_days: Annotated[Days, Meta(description="No new alert for so long after one was resolved.")] = 7.0
    weekly_cap: Annotated[
        int, Meta(ge=1, description="Alerts raised for one user within a week, at most.")
    ] = 1
    least_active_days: Annotated[
        int, Meta(ge=1, description="Days with an event before a user can have an alert.")
    ] = 2
    daily_budget: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Alerts raised a day, at most, for the highest expected loss, or value at risk. "
            "Default: no limit."
        ),
    ] = None
    holdout_share: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of users who get no alerts, so that uplift can be measured."),
    ] = 0.0
    holdout_salt: Annotated[str, Meta(description="Another salt holds out other users.")] = ""
    alerts_from: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Decisions before this time are put on record as backfill, not sent."),
    ] = None


def load_policy(file: Path | None, manifest: Manifest, disorder_s: float) -> Policy:
    """The policy of ``file``, or the default one, for a bundle.

    Raises ``ConfigurationError`` that names the file, the field and what was expected.
    """
    given = PolicyFile() if file is None else _read(file)
    origin = "the default policy" if file is None else str(file)
    if given.horizon_days is not None and given.horizon_days != manifest.risk_days:
        raise ConfigurationError(
            f"horizon_days in {origin}: {given.horizon_days:g} is not served by the bundle {manifest.name}, "
            f"which was trained for {manifest.risk_days:g}; leave it out or train another bundle"
        )
    alert_by, edges = _signal(given, manifest, origin)
    watch = given.watch or edges.watch
    hysteresis = LOSS_HYSTERESIS if alert_by == "loss" else min(WIDEST_HYSTERESIS, watch / 2)
    least_overdue = LEAST_OVERDUE if manifest.definition == "decline" else 0.0
    try:
        return Policy(
            edges=(watch, given.high or edges.high, given.critical or edges.critical),
            horizon_ms=round(manifest.risk_days * DAY_MS),
            alert_by=alert_by,
            least_overdue=least_overdue if given.least_overdue is None else given.least_overdue,
            least_loss=given.least_loss,
            hysteresis=hysteresis if given.hysteresis is None else given.hysteresis,
            raise_dwell_ms=round(given.raise_dwell_hours * HOUR_MS),
            leave_dwell_ms=round(given.leave_dwell_hours * HOUR_MS),
            cooldown_ms=round(given.cooldown_days * DAY_MS),
            weekly_cap=given.weekly_cap,
            least_active_days=given.least_active_days,
            daily_budget=given.daily_budget,
            holdout_share=given.holdout_share,
            holdout_salt=given.holdout_salt,
            alerts_from_ms=None if given.alerts_from is None else to_epoch_ms(given.alerts_from),
            disorder_ms=round(disorder_s * 1000),
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{origin}: {error}") from error


def _signal(given: PolicyFile, manifest: Manifest, origin: str) -> tuple[AlertBy, BandAmounts | BandEdges]:
    """What alerts go by, and the bundle's edges for that; refuses what the bundle cannot tell."""
    loss = manifest.expected_loss
    alert_by: AlertBy = given.alert_by or ("probability" if loss is None else "loss")
    if alert_by == "loss" and loss is None:
        raise ConfigurationError(
            f'alert_by in {origin}: "loss" needs a bundle that foretells it, and {manifest.name} does not: '
            'train one with --definition decline on events with amounts, or say alert_by = "probability"'
        )
    if given.least_overdue and manifest.definition == "absence":
        raise ConfigurationError(
            f"least_overdue in {origin}: the bundle {manifest.name} does not know what is usual for a "
            "customer; leave it out, or train a bundle with --definition decline"
        )
    if given.least_loss and alert_by == "probability":
        raise ConfigurationError(
            f'least_loss in {origin} counts only where alert_by = "loss": leave it out, or go by loss'
        )
    named = {"watch": given.watch, "high": given.high, "critical": given.critical}
    for band, edge in named.items():
        if edge is not None and (alert_by == "probability") != (edge < 1.0):
            expected = "a risk between 0 and 1" if alert_by == "probability" else "an amount of at least 1"
            raise ConfigurationError(
                f"{band} in {origin}: {edge:g}, and alerts go by {alert_by} (alert_by): give {expected}"
            )
    return alert_by, manifest.band_edges if loss is None or alert_by == "probability" else loss.edges


def _read(file: Path) -> PolicyFile:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"the policy file {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"the policy file {file} is not TOML: {error}") from error
    try:
        return msgspec.convert(table, PolicyFile)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the policy file {file}: {error}") from error
