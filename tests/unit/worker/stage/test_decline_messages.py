"""What alerts and scores tell where the model foretells decline."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.alert import Alert
from schemas.parts import ModelReference
from schemas.score import Score
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.core.model.risk_model import RiskModel
from streamer.testing import FixedDeclineModel, FixedModel, PartitionDriver, partition_events
from streamer.worker.stage.messages import Messages, RiskTerms, risk_terms
from tests.unit.core.alerts.test_decline_alerts import POLICY, marker, of, purchases
from tests.unit.policy.test_alert_by import ABSENCE, DECLINE

WORDS = "fewer than half of this customer's usual visits within 56 days"


def messages(terms: RiskTerms | None = None) -> Messages:
    return Messages(
        topic_prefix="",
        source_topic="events",
        model=ModelReference("m", "1", "0" * 64),
        risk_terms=terms or risk_terms(DECLINE),
        policy_sha256="0" * 64,
        silence_grid_ms=FixedModel.silence_grid_ms,
        reference_risk=None,
        currency="USD",
    )


def run_of(count: int, model: RiskModel, **changed: Any) -> PartitionDriver:
    run = PartitionDriver.of(msgspec.structs.replace(POLICY, **changed), model)
    run.process(partition_events([*purchases("u", 6.0, count), marker(count * 6.0 + 20.0)]))
    return run


def test_an_alert_tells_what_is_usual_overdue_and_at_stake() -> None:
    run = run_of(30, FixedDeclineModel())
    raised = of("u", run, 29 * 6 * DAY_MS + 1_483_228_800_000)[0]
    value = messages().alert(raised, 0).value
    assert value is not None
    data = msgspec.json.decode(value, type=Alert).data
    assert (data.risk.horizon_days, data.risk.definition) == (56.0, WORDS)
    assert data.usual is not None
    assert data.usual.gap_days == pytest.approx(6.0, rel=0.1)
    assert data.usual.visits_per_month == pytest.approx(30.0 / data.usual.gap_days, rel=0.01)
    assert data.usual.spend_per_month == pytest.approx(30.0 * 50.0 / 6.0, rel=0.15)
    assert data.overdue is not None
    assert data.overdue >= 1.0
    assert data.expected_loss is not None
    assert (data.expected_loss.currency, data.expected_loss.days) == ("USD", 56.0)
    assert data.expected_loss.amount >= POLICY.edges[0]
    assert data.absence is not None
    assert data.absence.horizon_days == DECLINE.horizon_days
    assert data.absence.probability != data.risk.probability
    # One message never says two usuals.
    by_code = {driver.code: driver for driver in data.drivers}
    assert by_code["days_since_last_purchase"].usual == data.usual.gap_days
    assert by_code["visit_days_per_month"].usual == data.usual.visits_per_month
    assert by_code["spending_per_month"].usual == data.usual.spend_per_month
    assert data.expected_next_purchase_at is not None
    due_ms = parse_timestamp(data.expected_next_purchase_at)
    gap_ms = due_ms - parse_timestamp(data.last_event_at)
    assert gap_ms / DAY_MS == pytest.approx(data.usual.gap_days, abs=0.01)


def test_a_score_tells_the_same_and_its_curve_is_that_of_absence() -> None:
    run = run_of(30, FixedDeclineModel())
    value = messages().score("u", run.state("u"), 0).value
    assert value is not None
    score = msgspec.json.decode(value, type=Score)
    state = run.state("u")
    assert score.horizon_days == 56.0
    assert score.risk == pytest.approx(state.risk, abs=1e-6)
    assert score.absence is not None
    assert score.absence.probability == pytest.approx(state.absence, abs=1e-6)
    assert [point.probability for point in score.risk_curve] == pytest.approx(state.absence_curve(), abs=1e-6)
    assert state.followed_curve() != state.absence_curve()
    assert score.usual is not None
    assert score.overdue is not None
    assert score.expected_loss is not None
    assert score.expected_loss.amount == pytest.approx(state.loss, abs=0.01)


def test_without_a_usual_a_score_tells_no_loss() -> None:
    run = run_of(3, FixedDeclineModel())
    value = messages().score("u", run.state("u"), 0).value
    assert value is not None
    score = msgspec.json.decode(value, type=Score)
    assert (score.usual, score.overdue, score.expected_loss) == (None, None, None)
    assert score.absence is not None


def test_where_the_risk_is_of_absence_nothing_is_added() -> None:
    run = run_of(30, FixedModel(), alert_by="probability", edges=(0.4, 0.6, 0.8), hysteresis=0.05)
    sent = messages(risk_terms(ABSENCE))
    value = sent.score("u", run.state("u"), 0).value
    assert value is not None
    score = msgspec.json.decode(value, type=Score)
    assert (score.usual, score.overdue, score.expected_loss, score.absence) == (None, None, None, None)
    assert risk_terms(ABSENCE).definition == f"no purchase within {ABSENCE.horizon_days:g} days"
