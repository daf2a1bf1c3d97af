"""Whether one bundle can take another one's place while customers' alerts are open."""

from __future__ import annotations

from schemas.bundle.manifest import Manifest
from schemas.errors import BundleError
from streamer.policy.file import load_policy
from streamer.settings.settings import Settings
from streamer.settings.time_zone import check_time_zone

_RESTART = (
    "To change that, stop the workers, say `streamer model reset`, and start them with STREAMER_BUNDLE set "
    "to the new bundle"
)


def check_fits(settings: Settings, manifest: Manifest) -> None:
    """Raise ``ConfigurationError`` where the settings or the policy do not fit the bundle."""
    check_time_zone(settings.time_zone, manifest.time_zone)
    load_policy(settings.policy, manifest, settings.disorder_s)


def check_successor(candidate: Manifest, serving: Manifest) -> None:
    """Raise :class:`~schemas.errors.BundleError` where the two answer different questions.

    Alerts that are open were raised for the churn, the horizon and the days of the serving one.
    """
    differences = [
        f"{what} is {found}, and {expected} is served"
        for what, found, expected in (
            ("the time zone", candidate.time_zone, serving.time_zone),
            ("the churn definition", _churn(candidate), _churn(serving)),
            ("the definition of who is lost", candidate.definition, serving.definition),
            ("the window", _days(candidate.window_days), _days(serving.window_days)),
            ("the horizon", f"{candidate.horizon_days:g} days", f"{serving.horizon_days:g} days"),
        )
        if found != expected
    ]
    if differences:
        raise BundleError(
            f"{candidate.name} {candidate.version} cannot take over under load: {'; '.join(differences)}. "
            f"{_RESTART}."
        )


def _churn(manifest: Manifest) -> str:
    return "no event of any type" if manifest.churn_definition.types == "any" else "no purchase"


def _days(days: float | None) -> str:
    return "none" if days is None else f"{days:g} days"
