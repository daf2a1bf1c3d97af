"""All that the demonstration knows from the topics, and the frames made of it."""

from __future__ import annotations

from time import monotonic

import msgspec

from schemas.alert import Alert
from schemas.bundle.manifest import Manifest
from schemas.score import Score
from streamer.demo.audience.alert_log import ESCALATED, RAISED, RESOLVED, AlertLog
from streamer.demo.audience.frame import AlertLine, ChartPoint, Frame, Phase, alert_line
from streamer.demo.audience.rate import CommitRate
from streamer.demo.judgement.households import Households
from streamer.demo.judgement.population import Population

ALERTS_A_FRAME = 5

_scores = msgspec.json.Decoder(Score)
_alerts = msgspec.json.Decoder(Alert)


class Audience:
    """Takes records of the output topics in and keeps what is shown and judged."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.households = Households()
        self.population = Population(manifest.silence_grid_s)
        self.alerts = AlertLog()
        self.chart: list[ChartPoint] = []
        self.phase: Phase = "starting"
        self.doing = "starting"
        self.loading = True
        """Whether ``households`` is still being filled."""
        self.total = 0
        self.published = 0
        self.committed = 0
        self.scores = 0
        self.dead_letters = 0
        self.judged_ms: int | None = None
        """The moment at which the scores were put to the test, once it has passed."""
        self.first_alert_at: float | None = None
        """``time.monotonic()`` when the first alert was read."""
        self._shown = 0
        self._rate = CommitRate()

    def take_score(self, key: bytes | None, value: bytes | None) -> None:
        """One record of the scores topic; a null value is an erased user."""
        if value is None:
            self.population.forget((key or b"").decode())
            return
        score = _scores.decode(value)
        self.scores += 1
        self.population.take(score)
        self.alerts.keep_curve(score)

    def take_alert(self, value: bytes | None) -> None:
        """One record of the alerts topic; it has no null ones."""
        if value is None:
            return
        self.alerts.take(_alerts.decode(value))
        if self.first_alert_at is None:
            self.first_alert_at = monotonic()

    def commit(self, events: int, at_s: float) -> None:
        """Note how many events the worker has committed by ``at_s``; a number that falls is no news."""
        self.committed = max(self.committed, events)
        self._rate.note(at_s, self.committed)

    @property
    def clock_ms(self) -> int | None:
        """How far event time has come, the one clock of all that is shown; ``None`` before the first output.

        Partitions are not equally far: it is the furthest moment that a score or an alert tells of, and
        the end of the data once all of them are through.
        """
        moments = [self.population.clock_ms, self.alerts.clock_ms]
        if self.phase in ("judging", "done"):
            moments.append(self.households.last_ms)
        return max((moment for moment in moments if moment is not None), default=None)

    def next_frame(self) -> Frame:
        """The frame of this moment, with what is new since the one before."""
        return self._frame(self._chart_point(), self._newest_lines())

    def _frame(self, point: ChartPoint | None, alerts: list[AlertLine]) -> Frame:
        return Frame(
            phase=self.phase,
            doing=self.doing,
            clock_ms=self.clock_ms,
            total=self.total,
            published=self.published,
            committed=self.committed,
            events_per_s=self._rate.per_s(),
            users=len(self.population),
            scores=self.scores,
            open=self.alerts.open_by_band(),
            raised=self.alerts.count(RAISED),
            escalated=self.alerts.count(ESCALATED),
            resolved=self.alerts.count(RESOLVED),
            dead_letters=self.dead_letters,
            point=point,
            alerts=alerts,
        )

    def _chart_point(self) -> ChartPoint | None:
        clock_ms = self.clock_ms
        if clock_ms is None:
            return None
        active_days = self.manifest.churn_definition.active_days
        point = ChartPoint(clock_ms, *self.population.band_counts(active_days))
        if self.chart and point == self.chart[-1]:
            return None
        if self.chart and point.at_ms == self.chart[-1].at_ms:
            # The partitions behind are catching up with the same moment.
            self.chart.pop()
        self.chart.append(point)
        return point

    def _newest_lines(self) -> list[AlertLine]:
        arrived = self.alerts.newest[self._shown :]
        self._shown = len(self.alerts.newest)
        # More come than anybody can read: openings and escalations first.
        chosen = [alert for alert in arrived if alert.type != RESOLVED] or arrived
        lines = [alert_line(alert, self.households) for alert in chosen[-ALERTS_A_FRAME:]]
        return sorted(lines, key=lambda line: line.at_ms)
