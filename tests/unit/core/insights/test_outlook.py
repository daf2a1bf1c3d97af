"""What alerts tell of a user's future: when it is told, and when too little is known."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from schemas.alert import Alert, ExpectedValue, NextAction, NextCategoryMessage, OutlookMessage
from schemas.event import Event
from schemas.parts import ModelReference
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.history.aggregates import advance, empty
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array, tokenise
from streamer.core.insights.outlook import known_outlook
from streamer.core.model.outlook import NO_OUTLOOK, Likely, Outlook
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel
from streamer.worker.stage.messages import Messages, RiskTerms

START_MS = 1_483_228_800_000
POLICY = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=90 * DAY_MS, least_active_days=1, cooldown_ms=0)
FULL = Outlook(30.0, Likely("purchase", 0.8), Likely("tea", 0.3))


def event(day: float, kind: str = "purchase", value: float | None = 20.0) -> Event:
    return Event(f"{kind}-{day}", "u", kind, START_MS + int(day * DAY_MS), value=value)


def aggregates(*events: Event) -> bytes:
    rows = empty(1)
    for one in events:
        rows = advance(rows, as_array(tokenise(one)), UTC)
    return rows.tobytes()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event(0), event(1), event(2)], FULL),
        ([event(0), event(1)], Outlook(30.0)),
        ([event(0), event(1, "view"), event(2, "view")], FULL._replace(spend=None)),
        ([event(day, value=None) for day in range(4)], FULL._replace(spend=None)),
        ([event(0), event(1), event(2, "refund", 40.0)], FULL._replace(spend=None)),
        ([event(0, "view")], NO_OUTLOOK),
    ],
    ids=["enough", "two purchases", "one purchase", "amounts unknown", "all refunded", "one view"],
)
def test_too_little_history_tells_nothing(events: list[Event], expected: Outlook) -> None:
    assert known_outlook(FULL, aggregates(*events)) == expected


class Counting(FixedModel):
    """Counts for how many users it was asked what to expect."""

    def __init__(self) -> None:
        self.asked = 0

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> list[Outlook]:
        self.asked += len(rings)
        return super().outlook(hidden, features, rings)


def decisions(model: FixedModel, *events: Event, until_day: float) -> list[Decision]:
    run = PartitionDriver.of(POLICY, model)
    run.process(partition_events(events))
    run.process([], START_MS + int(until_day * DAY_MS))
    return run.decisions


def test_only_alerts_that_are_open_are_asked_about_and_tell() -> None:
    model = Counting()
    made = decisions(model, *(event(day) for day in (0, 1, 2, 3, 60)), until_day=61)
    sent = [decision for decision in made if decision.action == "sent"]
    assert [decision.transition for decision in sent] == ["raised", "escalated", "escalated", "resolved"]
    assert model.asked == 3
    assert all(decision.outlook.spend == 4 * 26 for decision in sent[:-1])
    assert sent[0].outlook.action is not None
    assert sent[0].outlook.action.name == "purchase"
    assert sent[-1].outlook == NO_OUTLOOK


def test_what_is_not_sent_is_not_asked_about() -> None:
    model, untold = Counting(), msgspec.structs.replace(POLICY, holdout_share=1.0)
    run = PartitionDriver.of(untold, model)
    run.process(partition_events([event(0), event(1), event(2), event(3)]))
    run.process([], START_MS + 60 * DAY_MS)
    assert {decision.action for decision in run.decisions} == {"held_out"}
    assert model.asked == 0


def alert_of(decision: Decision, currency: str | None) -> Alert:
    messages = Messages(
        topic_prefix="",
        source_topic="events",
        model=ModelReference("m", "1", "0" * 64),
        risk_terms=RiskTerms(28.0, "no purchase within 28 days"),
        policy_sha256="0" * 64,
        silence_grid_ms=FixedModel.silence_grid_ms,
        reference_risk=None,
        currency=currency,
    )
    value = messages.alert(decision, 0).value
    assert value is not None
    return msgspec.json.decode(value, type=Alert)


@pytest.mark.parametrize("currency", ["USD", None])
def test_an_alert_carries_amount_currency_action_and_category(currency: str | None) -> None:
    raised = decisions(FixedModel(), *(event(day) for day in range(4)), until_day=60)[0]
    outlook = Outlook(12.3456, Likely("view", 0.12345678), Likely("tea", 0.5))
    data = alert_of(raised._replace(outlook=outlook), currency).data
    assert data.expected_value == ExpectedValue(12.35, currency)
    assert data.outlook == OutlookMessage(NextAction("view", 0.123457), NextCategoryMessage("tea", 0.5))


def test_what_is_not_known_is_null() -> None:
    raised = decisions(FixedModel(), *(event(day) for day in range(4)), until_day=60)[0]
    bare = alert_of(raised._replace(outlook=NO_OUTLOOK), "USD").data
    assert (bare.expected_value, bare.outlook) == (None, None)
    half = alert_of(raised._replace(outlook=Outlook(None, Likely("view", 0.5))), "USD").data
    assert half.expected_value is None
    assert half.outlook == OutlookMessage(NextAction("view", 0.5), None)
