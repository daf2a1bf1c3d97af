"""The stage: bytes in, state and messages of the contract out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from schemas.parts import ModelReference
from schemas.units import DAY_MS
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import Rules
from streamer.core.history.aggregates import COLUMN
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import decode_state
from streamer.testing.fixed_model import FixedModel
from streamer.worker.stage.messages import Messages, RiskTerms
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.partition_record import CLOCK_KEY
from streamer.worker.stage.partition.partition_status import WorkerIdentity, decode_status
from streamer.worker.stage.protocol import BatchOutcome, Message, Record
from streamer.worker.stage.scoring_stage import ScoringStage

START = 1_483_228_800_000
WORKER = WorkerIdentity("w1", "host", 7, "live", "fixed", "1", "0" * 12, "0" * 12, ("CPUExecutionProvider",))


class Worker:
    """A stage with a table, as the shell keeps one."""

    def __init__(self, **intake: Any) -> None:
        self.table: dict[bytes, bytes] = {}
        self.stage = new_stage(**intake)
        self.stage.open(0, [])
        self.offset = 0

    def process(
        self,
        *values: bytes,
        now_ms: int | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        record_ms: int = START + 40 * DAY_MS,
    ) -> BatchOutcome:
        records = [
            Record(self.offset + n, record_ms, b"key", value, tuple(headers))
            for n, value in enumerate(values)
        ]
        self.offset += len(values)
        outcome = self.stage.process(0, self.table.get, records, now_ms)
        for key, value in outcome.state.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        return outcome


def new_stage(risk_model: RiskModel | None = None, partitions: int = 1, **intake: Any) -> ScoringStage:
    model = ModelReference("fixed", "1", "0" * 64)
    messages = Messages(
        "shop.",
        "shop.commerce.events.v1",
        model,
        RiskTerms(28.0, "no purchase within 28 days"),
        "0" * 64,
        FixedModel.silence_grid_ms,
        0.05,
    )
    policy = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, least_active_days=1)
    rules = Rules(policy, any_event_returns=False, partitions=partitions)
    return ScoringStage(
        rules,
        risk_model or FixedModel(),
        messages,
        cached_states=2,
        **{"worker": WORKER, "live": False, "mark_keys": [b"key"], **intake},
    )


def counted(stage: ScoringStage, partition: int = 0) -> Counters:
    """A partition's counts as its status tells them."""
    status = decode_status(stage.status(partition, START))
    assert status is not None
    return status.counters


def source_down(worker: Worker) -> bool:
    return source_down_in(worker.stage)


def source_down_in(stage: ScoringStage, partition: int = 0) -> bool:
    status = decode_status(stage.status(partition, START))
    assert status is not None
    assert status.source is not None
    return status.source.down


def purchase(event_id: str, user_id: str, day: float) -> bytes:
    event = {
        "event_id": event_id,
        "user_id": user_id,
        "type": "purchase",
        "timestamp": START + int(day * DAY_MS),
    }
    return json.dumps(event).encode()


class OtherModel(FixedModel):
    """The model that takes over."""

    identity = b"fixed-02"


def test_no_risk_bears_the_name_of_a_model_that_has_not_been_asked() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    worker.stage = new_stage(OtherModel())
    worker.stage.open(0, worker.table.items())
    assert on("shop.churn.scores.v1", worker.process(purchase("e1", "u", 0))) == []
    assert len(on("shop.churn.scores.v1", worker.process(purchase("e2", "u", 0.01)))) == 1
    assert len(on("shop.churn.scores.v1", worker.process(purchase("e2", "u", 0.01)))) == 1


def on(topic: str, outcome: BatchOutcome) -> list[Message]:
    return [message for message in outcome.messages if message.topic == topic]


def test_an_event_becomes_state_a_clock_and_a_score() -> None:
    worker = Worker()
    outcome = worker.process(purchase("e1", "u", 0))
    assert set(outcome.state) == {b"u", CLOCK_KEY}
    (message,) = outcome.messages
    assert message.topic == "shop.churn.scores.v1"
    assert message.key == b"u"
    assert message.value is not None
    score = json.loads(message.value)
    assert score["last_event_at"] == score["scored_at"] == "2017-01-01T00:00:00Z"
    assert score["risk_curve"] == []
    assert score["evidence"] == {"topic": "shop.commerce.events.v1", "partition": 0, "offset": 0}


def test_silence_puts_out_alert_decision_and_a_score_with_its_curve() -> None:
    worker = Worker()
    worker.process(purchase("e1", "quiet", 0))
    outcome = worker.process(purchase("e2", "other", 30))
    (alert,) = [json.loads(m.value or b"") for m in on("shop.churn.alerts.v1", outcome)][:1]
    assert alert["type"] == "churn.alert.raised.v1"
    assert alert["subject"] == "quiet"
    assert alert["data"]["silent_for_s"] > 86_400
    decision = json.loads(on("shop.churn.decisions.v1", outcome)[0].value or b"")
    assert (decision["action"], decision["alert_id"]) == ("sent", alert["data"]["alert_id"])
    scores = {
        json.loads(m.value or b"")["user_id"]: json.loads(m.value or b"")
        for m in on("shop.churn.scores.v1", outcome)
    }
    assert len(scores["quiet"]["risk_curve"]) == len(FixedModel.silence_grid_ms)
    assert scores["quiet"]["alert_id"] == alert["data"]["alert_id"]


def test_a_bad_record_goes_to_the_dead_letters_and_the_rest_goes_on() -> None:
    worker = Worker()
    outcome = worker.process(
        purchase("e1", "u", 0), b"not json", purchase("e2", "v", 0), headers=[("trace", b"7")]
    )
    (letter,) = on("shop.churn.dlq.v1", outcome)
    assert (letter.key, letter.value) == (b"key", b"not json")
    headers = dict(letter.headers)
    assert headers["trace"] == b"7"
    assert (headers["source-topic"], headers["source-offset"]) == (b"shop.commerce.events.v1", b"1")
    assert {b"u", b"v"} <= set(outcome.state)
    assert counted(worker.stage).dead_letters == {"not-json": 1}


def test_other_event_types_are_skipped_and_unknown_fields_counted() -> None:
    worker = Worker()
    event = {"event_id": "e", "user_id": "u", "type": "page_ping", "timestamp": START}
    assert worker.process(json.dumps(event).encode()).state == {}
    worker.process(json.dumps({**event, "type": "view", "colour": "red"}).encode())
    assert counted(worker.stage).skipped == {"unknown-type": 1}
    assert counted(worker.stage).unknown_fields == 1


def test_a_tick_without_a_due_deadline_changes_nothing() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    assert worker.process(now_ms=START + DAY_MS // 2) == BatchOutcome({}, [])


def test_a_tick_raises_when_wall_time_reaches_the_deadline() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    outcome = worker.process(now_ms=START + 20 * DAY_MS)
    assert on("shop.churn.alerts.v1", outcome)


def test_a_stage_that_takes_over_goes_on_where_the_last_one_stood() -> None:
    undisturbed, crashed = Worker(), Worker()
    batches = [[purchase(f"e{n}", f"u{n % 3}", n)] for n in range(12)] + [
        [purchase("e99", "late", 2.0)],
        [purchase("e100", "x", 60)],
    ]
    messages: list[list[Message]] = []
    for worker in (undisturbed, crashed):
        sent: list[Message] = []
        for batch in batches:
            if worker is crashed:
                worker.stage = new_stage()
                worker.stage.open(0, list(worker.table.items()))
            sent += worker.process(*batch).messages
        messages.append(sent)
    assert messages[0] == messages[1]
    assert undisturbed.table == crashed.table


def test_a_forgotten_user_has_a_null_score() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    outcome = worker.process(now_ms=START + 401 * DAY_MS)
    assert outcome.state[b"u"] is None
    assert on("shop.churn.scores.v1", outcome)[0].value is None


@pytest.mark.parametrize("user_id", ["\u00fc\u4e2d", "a b", "x" * 256])
def test_any_user_id_is_a_key(user_id: str) -> None:
    worker = Worker()
    worker.process(purchase("e1", user_id, 0))
    taken_over = new_stage()
    taken_over.open(0, list(worker.table.items()))
    assert user_id.encode() in worker.table


def spent(worker: Worker, user_id: str) -> float:
    """Money that a user's aggregates hold."""
    running = decode_state(worker.table[user_id.encode()]).running
    return float(np.frombuffer(running)[COLUMN["value"]])


def test_money_in_another_currency_is_unknown_and_counted() -> None:
    events = {
        "at-home": {"value": 5, "currency": "EUR"},
        "at-home-too": {"value": 5, "currency": "eur"},
        "silent-about-it": {"value": 5},
        "abroad": {"value": 5, "currency": "USD"},
        "abroad-by-item": {"items": [{"item_id": "i", "price": 5}], "currency": "USD"},
    }
    values = [
        json.dumps({**json.loads(purchase("e", user_id, 0)), **more}).encode()
        for user_id, more in events.items()
    ]
    worker = Worker(currency="EUR")
    worker.process(*values)
    assert [spent(worker, user_id) for user_id in events] == [5, 5, 5, 0, 0]
    assert counted(worker.stage).foreign_currency == 2
    assert counted(worker.stage).events == 5
    anywhere = Worker()
    anywhere.process(*values)
    assert [spent(anywhere, user_id) for user_id in events] == [5, 5, 5, 5, 5]
    assert counted(anywhere.stage).foreign_currency == 0


def test_events_of_a_platform_are_scored_and_those_of_nobody_counted() -> None:
    order = {
        "messageId": "m1",
        "type": "track",
        "event": "Order Completed",
        "userId": "u",
        "timestamp": "2017-01-01T00:00:00Z",
        "properties": {"revenue": 25.0},
    }
    worker = Worker(event_format="segment")
    outcome = worker.process(
        *(
            json.dumps(event).encode()
            for event in (
                order,
                {**order, "userId": None},
                {**order, "type": "identify"},
                {**order, "timestamp": "soon"},
            )
        )
    )
    assert spent(worker, "u") == 25
    assert counted(worker.stage).skipped == {"anonymous": 1, "unknown-type": 1}
    (letter,) = on("shop.churn.dlq.v1", outcome)
    assert dict(letter.headers)["error-class"] == b"bad-timestamp"
