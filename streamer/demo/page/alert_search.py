"""Alerts looked up by what became of them, or by household."""

from __future__ import annotations

import msgspec

from schemas.alert import Alert
from schemas.timestamps import parse_timestamp
from streamer.demo.audience.audience import Audience
from streamer.demo.audience.frame import AlertLine, alert_line
from streamer.demo.wording.alerts import Tone
from streamer.demo.wording.outcomes import Outcome, outcome_of

FOUND = 60


class FoundAlert(msgspec.Struct, frozen=True):
    """An alert by its opening, and what came of it."""

    alert_id: str
    user_id: str
    kind: str
    tone: Tone
    label: str
    at_ms: int
    words: str
    verdict: Outcome


class FoundAlerts(msgspec.Struct, frozen=True):
    """The newest of ``count`` alerts that fit."""

    count: int
    alerts: list[FoundAlert]


def newest_lines(audience: Audience) -> list[AlertLine]:
    """The newest revisions by their moment, oldest of them first."""
    lines = [alert_line(alert, audience.households) for alert in audience.alerts.newest[-FOUND:]]
    return sorted(lines, key=lambda line: line.at_ms)


def search_alerts(audience: Audience, show: str, household: str) -> FoundAlerts:
    """Alerts whose outcome so far is ``show`` (``newest``: any), of one household unless that is empty."""
    found: list[tuple[int, Alert, Outcome]] = []
    for revisions in audience.alerts.alerts():
        opening = revisions[0]
        if household and opening.data.user_id != household:
            continue
        raised_ms = parse_timestamp(opening.time)
        clock_ms = audience.clock_ms or raised_ms
        verdict, _ = outcome_of(opening, audience.households, clock_ms)
        if show in ("newest", verdict):
            found.append((raised_ms, opening, verdict))
    found.sort(key=lambda entry: entry[0], reverse=True)
    lines = [_found(alert_line(alert, audience.households), verdict) for _, alert, verdict in found[:FOUND]]
    return FoundAlerts(len(found), lines)


def _found(line: AlertLine, verdict: Outcome) -> FoundAlert:
    return FoundAlert(**msgspec.structs.asdict(line), verdict=verdict)
