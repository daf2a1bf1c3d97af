"""The alert policy as a TOML file: durations in days or hours, bands as risks, everything optional."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.bundle.manifest import Manifest
from schemas.errors import ConfigurationError
from schemas.timestamps import to_epoch_ms
from schemas.units import DAY_MS, HOUR_MS
from streamer.core.alerts.policy import Policy

WIDEST_HYSTERESIS = 0.05
"""Where the file says nothing."""

Risk = Annotated[float, Meta(gt=0, lt=1)]
Days = Annotated[float, Meta(ge=0, le=3650)]
Hours = Annotated[float, Meta(ge=0, le=8760)]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a policy file may say."""

    watch: Annotated[
        Risk | None, Meta(description="Risk at which the band begins. Default: the bundle's.")
    ] = None
    high: Annotated[
        Risk | None, Meta(description="Risk at which the band begins. Default: the bundle's.")
    ] = None
    critical: Annotated[
        Risk | None, Meta(description="Risk at which the band begins. Default: the bundle's.")
    ] = None
    hysteresis: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        Meta(
            description="How far below its edge a risk must fall to leave a band. "
            "Default: 0.05, or half of `watch` where that is less."
        ),
    ] = None
    horizon_days: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="How long an alert is for; only the bundle's horizon is served."),
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
        Meta(description="Alerts raised a day, at most, for the highest value at risk. Default: no limit."),
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
    if given.horizon_days is not None and given.horizon_days != manifest.horizon_days:
        raise ConfigurationError(
            f"horizon_days in {origin}: {given.horizon_days:g} is not served by the bundle {manifest.name}, "
            f"which was trained for {manifest.horizon_days:g}; leave it out or train another bundle"
        )
    edges = manifest.band_edges
    watch = given.watch or edges.watch
    try:
        return Policy(
            edges=(watch, given.high or edges.high, given.critical or edges.critical),
            horizon_ms=round(manifest.horizon_days * DAY_MS),
            hysteresis=min(WIDEST_HYSTERESIS, watch / 2) if given.hysteresis is None else given.hysteresis,
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
