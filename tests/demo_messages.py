"""Alerts and scores as the worker would publish them, for tests of the demonstration."""

from __future__ import annotations

import msgspec

from schemas.alert import Alert, AlertData, AlertReason, Band, DriverMessage, Risk, Transition, alert_of
from schemas.bundle.bands import BandEdges
from schemas.bundle.decline import Calibration, DeclineOutputs, UsualInShop
from schemas.bundle.manifest import ChurnDefinition, Manifest, TokenEncoding, TrainingWindow
from schemas.parts import Absence, Evidence, ExpectedLossMessage, ModelReference, UsualMessage
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


USUAL = UsualMessage(visits_per_month=5.0, spend_per_month=82.0, gap_days=6.0)


def decline_alert(
    user_id: str,
    at_ms: int,
    last_ms: int,
    *drivers: DriverMessage,
    transition: Transition = "raised",
    alert_id: str = "d1",
    reason: AlertReason = "silence",
) -> Alert:
    """One revision of an alert of a bundle that foretells decline, of a household with :data:`USUAL`."""
    bare = alert(user_id, at_ms, last_ms, transition=transition, alert_id=alert_id, reason=reason)
    data = msgspec.structs.replace(
        bare.data,
        risk=Risk(0.62, 56, "fewer than half of this customer's usual visits within 56 days"),
        usual=USUAL,
        overdue=round((at_ms - last_ms) / DAY_MS / USUAL.gap_days, 2),
        expected_loss=ExpectedLossMessage(74.4, "USD", 56),
        absence=Absence(0.2, 28),
        drivers=drivers,
    )
    return msgspec.structs.replace(bare, data=data)


def score(
    user_id: str,
    last_ms: int,
    risk: float,
    *,
    scored_ms: int | None = None,
    curve: tuple[float, ...] = (),
    alert_id: str | None = None,
    partition: int = 0,
    band: Band | None = None,
    absence: Absence | None = None,
) -> Score:
    """A user's newest score; ``curve`` are the risks at ``GRID_S``."""
    return Score(
        user_id=user_id,
        scored_at=format_timestamp(last_ms if scored_ms is None else scored_ms),
        last_event_at=format_timestamp(last_ms),
        risk=risk,
        horizon_days=28,
        band=band,
        alert_id=alert_id,
        absence=absence,
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


def decline_manifest() -> Manifest:
    """The same of a bundle that foretells decline within 56 days."""
    outputs = DeclineOutputs(
        window_days=56.0,
        usual=UsualInShop(0.0, 0.0, 0.0, 0.0),
        calibration=Calibration("none"),
        spend_scale=1.0,
    )
    return msgspec.structs.replace(manifest(), definition="decline", window_days=56.0, decline=outputs)
