"""Every alert as a consumer keeps it: revisions by alert, in the order in which they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.alert import Alert, Band
from schemas.score import RiskPoint, Score
from schemas.timestamps import parse_timestamp
from streamer.demo.judgement.evaluation import RaisedAlert

RAISED = "churn.alert.raised.v1"
ESCALATED = "churn.alert.escalated.v1"
RESOLVED = "churn.alert.resolved.v1"


class AlertLog:
    """Upserts on ``alert_id`` and ignores a revision that is not higher than the one it has."""

    def __init__(self) -> None:
        self.newest: list[Alert] = []
        """Every revision in the order of its arrival."""
        self._revisions: dict[str, list[Alert]] = {}
        self._curves: dict[str, tuple[RiskPoint, ...]] = {}
        self._kinds: Counter[str] = Counter()
        self._open: Counter[Band] = Counter()
        self.clock_ms: int | None = None
        """The latest moment of a revision; ``None`` before the first."""

    def take(self, alert: Alert) -> bool:
        """Take a revision in; ``False`` for one that is known or overtaken."""
        revisions = self._revisions.setdefault(alert.data.alert_id, [])
        if revisions and revisions[-1].data.revision >= alert.data.revision:
            return False
        if revisions and revisions[-1].data.status == "open":
            self._open[revisions[-1].data.band] -= 1
        if alert.data.status == "open":
            self._open[alert.data.band] += 1
        revisions.append(alert)
        self.newest.append(alert)
        at_ms = parse_timestamp(alert.time)
        self.clock_ms = at_ms if self.clock_ms is None else max(self.clock_ms, at_ms)
        self._kinds[alert.type] += 1
        return True

    def keep_curve(self, score: Score) -> None:
        """Keep the risk curve that was published while an alert was open."""
        if score.alert_id is not None and score.risk_curve:
            self._curves[score.alert_id] = score.risk_curve

    def revisions(self, alert_id: str) -> list[Alert]:
        """The revisions of one alert, ascending; empty for an unknown one."""
        return self._revisions.get(alert_id, [])

    def curve(self, alert_id: str) -> tuple[RiskPoint, ...]:
        """The risk curve behind an alert; empty where the user was back before one was published."""
        return self._curves.get(alert_id, ())

    def count(self, alert_type: str) -> int:
        """How many revisions of one CloudEvents type there were."""
        return self._kinds[alert_type]

    def open_by_band(self) -> dict[Band, int]:
        """How many alerts are open, by band."""
        return {"watch": self._open["watch"], "high": self._open["high"], "critical": self._open["critical"]}

    def alerts(self) -> Iterator[list[Alert]]:
        """The revisions of each alert, in the order of the openings' arrival."""
        return iter(self._revisions.values())

    def raised(self) -> list[RaisedAlert]:
        """Every opening."""
        return [
            RaisedAlert(alert.data.user_id, parse_timestamp(alert.time))
            for alert in self.newest
            if alert.type == RAISED
        ]
