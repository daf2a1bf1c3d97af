"""Alerts and scores as the worker would publish them, for tests of the demonstration."""

from __future__ import annotations

from schemas.alert import Alert, AlertData, AlertReason, Band, Risk, Transition, alert_of
from schemas.bundle.bands import BandEdges
from schemas.bundle.decline import Calibration
from schemas.bundle.manifest import ChurnDefinition, Manifest, TokenEncoding, TrainingWindow
from schemas.parts import Evidence, ModelReference
from schemas.score import RiskPoint, Score
from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.units import DAY_MS

MODEL = ModelReference("test", "1", "0" * 64)
GRID_S = (86_400, 4 * 86_400, 16 * 86_400)
EDGES = BandEdges(0.3, 0.5, 0.7)
START_MS = parse_timestamp("2017-03-01T12:00:00Z")


def day(number: float) -> int:
    """Epoch milliseconds so many days after the start."""
    return START_MS + int(number * DAY_MS)


def alert(
    user_id: str,
    at_ms: int,
    last_ms: int,
    *,
    transition: Transition = "raised",
    alert_id: str = "a1",
    revision: int = 1,
    band: Band = "high",
    probability: float = 0.62,
    reason: AlertReason = "silence",
) -> Alert:
    """One revision of an alert."""
    data = AlertData(
        alert_id=alert_id,
        revision=revision,
        user_id=user_id,
        status="resolved" if transition == "resolved" else "open",
        band=band,
        risk=Risk(probability, 28, "no purchase within 28 days"),
        last_event_at=format_timestamp(last_ms),
        silent_for_s=(at_ms - last_ms) // 1000,
        reason=reason,
        model=MODEL,
        evidence=Evidence("commerce.events.v1", 0, 1),
    )
    return alert_of(data, transition, format_timestamp(at_ms))


def score(
    user_id: str,
    last_ms: int,
    risk: float,
    *,
    scored_ms: int | None = None,
    curve: tuple[float, ...] = (),
    alert_id: str | None = None,
    partition: int = 0,
) -> Score:
    """A user's newest score; ``curve`` are the risks at ``GRID_S``."""
    return Score(
        user_id=user_id,
        scored_at=format_timestamp(last_ms if scored_ms is None else scored_ms),
        last_event_at=format_timestamp(last_ms),
        risk=risk,
        horizon_days=28,
        alert_id=alert_id,
        risk_curve=tuple(RiskPoint(*point) for point in zip(GRID_S, curve, strict=False)),
        model=MODEL,
        evidence=Evidence("commerce.events.v1", partition, 1),
    )


def manifest() -> Manifest:
    """A bundle's manifest with the grid and the edges of this module."""
    return Manifest(
        name="test",
        version="1",
        training_window=TrainingWindow("2017-01-01T00:00:00Z", "2017-02-01T00:00:00Z"),
        data_fingerprint="0",
        token_encoding=TokenEncoding(12, 16, 16),
        silence_grid_s=GRID_S,
        horizon_days=28,
        churn_definition=ChurnDefinition("purchase", 60),
        time_zone="UTC",
        band_edges=EDGES,
        window=32,
        layers=2,
        width=64,
        heads=4,
        exact_tokens=63,
        features=("days",),
        calibration=Calibration("none"),
        metrics={},
        sha256={},
        opset=20,
        libraries={},
    )
