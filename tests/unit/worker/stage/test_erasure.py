"""Requests to forget users through the stage: what goes, what is said, what stays, and who is kept out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from schemas.erasure import ErasureRequest
from schemas.errors import ConfigurationError, StateError
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from schemas.wire.encoding import encode_erasure
from streamer.core.erasure import MARK_PREFIX, ErasedUsers, Erasure, is_mark
from streamer.settings.secret import Secret
from streamer.settings.settings import Settings
from streamer.testing.fixed_model import FixedModel
from streamer.worker.stage.erasure_keys import mark_keys
from streamer.worker.stage.protocol import BatchOutcome, Message, Record
from streamer.worker.stage.scoring_stage import CLOCK_KEY, ScoringStage
from tests.unit.worker.stage.test_scoring_stage import START, Worker, counted, new_stage, on, purchase

NOW = START + 40 * DAY_MS
ALERTS, DECISIONS, SCORES = "shop.churn.alerts.v1", "shop.churn.decisions.v1", "shop.churn.scores.v1"
DEAD_LETTERS, ERASURES = "shop.churn.dlq.v1", "shop.privacy.erasure.v1"


def request(user_id: str, requested_ms: int) -> bytes:
    return encode_erasure(
        ErasureRequest(user_id=user_id, requested_at=format_timestamp(requested_ms), request_id="r1")
    )


def erase(
    worker: Worker, *values: bytes, now_ms: int | None = None, headers: Iterable[tuple[str, bytes]] = ()
) -> BatchOutcome:
    """Let requests come to the worker's partition."""
    requests = [
        Record(offset, NOW, None, value, tuple(headers), erasure=True) for offset, value in enumerate(values)
    ]
    outcome = worker.stage.process(0, worker.table.get, requests, now_ms)
    for key, value in outcome.state.items():
        if value is None:
            worker.table.pop(key, None)
        else:
            worker.table[key] = value
    return outcome


def alerted() -> tuple[Worker, dict[str, object]]:
    """A worker whose user ``quiet`` has an open alert."""
    worker = Worker()
    worker.process(purchase("e1", "quiet", 0))
    raised = on(ALERTS, worker.process(purchase("e2", "other", 30)))
    return worker, json.loads(raised[-1].value or b"")["data"]


def mentions(user_id: str, messages: Sequence[Message]) -> list[str]:
    """Topics of the messages that name the user."""
    name = user_id.encode()
    return [m.topic for m in messages if name in (m.key or b"") or name in (m.value or b"")]


def test_an_open_alert_is_resolved_the_score_nulled_and_the_state_deleted() -> None:
    worker, before = alerted()
    others = {key: value for key, value in worker.table.items() if key not in (b"quiet", CLOCK_KEY)}
    outcome = erase(worker, request("quiet", NOW))
    (alert,) = [json.loads(message.value or b"") for message in on(ALERTS, outcome)]
    data = alert["data"]
    assert (data["status"], data["reason"]) == ("resolved", "erased")
    assert (data["alert_id"], data["revision"]) == (before["alert_id"], int(str(before["revision"])) + 1)
    assert alert["time"] == format_timestamp(START + 30 * DAY_MS), "not ahead of the partition's clock"
    (decision,) = [json.loads(message.value or b"") for message in on(DECISIONS, outcome)]
    assert (decision["action"], decision["reason"], decision["would"]) == ("sent", "erased", "resolved")
    assert [(message.key, message.value) for message in on(SCORES, outcome)] == [(b"quiet", None)]
    assert outcome.state[b"quiet"] is None
    assert b"quiet" not in worker.table
    assert others.items() <= worker.table.items()
    assert CLOCK_KEY not in outcome.state, "a request moves no clock"
    assert counted(worker.stage).erasures == 1


def test_nothing_of_the_user_comes_out_later() -> None:
    worker, _ = alerted()
    erase(worker, request("quiet", NOW))
    outcome = worker.process(purchase("e3", "other", 39.9), now_ms=None)
    later = worker.process(now_ms=START + 500 * DAY_MS)
    assert mentions("quiet", [*outcome.messages, *later.messages]) == []
    assert all(b"quiet" not in key for key in worker.table)


def test_what_an_idle_user_leaves_is_a_null_and_a_mark_without_the_id() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u-idle", 0))
    outcome = erase(worker, request("u-idle", NOW))
    assert mentions("u-idle", outcome.messages) == [SCORES]
    (mark,) = [key for key in worker.table if is_mark(key)]
    assert b"u-idle" not in mark + worker.table[mark]


def test_events_up_to_the_request_are_refused_and_later_ones_make_a_new_user() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0), purchase("e2", "other", 5))
    erase(worker, request("u", START + 10 * DAY_MS))
    assert worker.process(purchase("e1", "u", 0), purchase("e3", "u", 10)).messages == []
    assert counted(worker.stage).skipped == {"erased": 2}
    assert counted(worker.stage).events == 2
    outcome = worker.process(purchase("e4", "u", 10.001), purchase("e5", "other", 7))
    scores = {json.loads(m.value or b"")["user_id"] for m in on(SCORES, outcome)}
    assert scores == {"u", "other"}


@pytest.mark.parametrize("now_ms", [None, START + 35 * DAY_MS])
def test_a_stage_that_takes_over_knows_whom_to_refuse(now_ms: int | None) -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    erase(worker, request("u", START + 10 * DAY_MS), now_ms=now_ms)
    worker.stage = new_stage()
    worker.stage.open(0, worker.table.items())
    assert worker.process(purchase("e2", "u", 9)).state == {}
    assert counted(worker.stage).skipped == {"erased": 1}


def test_an_older_request_lets_nothing_in_that_a_newer_one_keeps_out() -> None:
    worker = Worker()
    erase(worker, request("u", START + 10 * DAY_MS))
    erase(worker, request("u", START + 3 * DAY_MS), request("u", START + 5 * DAY_MS))
    worker.process(purchase("e1", "u", 9))
    assert counted(worker.stage).skipped == {"erased": 1}


def test_each_other_partition_gets_a_copy_that_goes_no_further() -> None:
    rules_of_three = new_stage(partitions=3)
    rules_of_three.open(1, [])
    asked = Record(7, NOW, None, request("u", NOW), (("trace", b"1"),), erasure=True)
    outcome = rules_of_three.process(1, {}.get, [asked], None)
    copies = on(ERASURES, outcome)
    assert [copy.partition for copy in copies] == [0, 2]
    assert {(copy.key, copy.value) for copy in copies} == {(b"u", asked.value)}
    for copy in copies:
        assert copy.partition is not None
        rules_of_three.open(copy.partition, [])
        arrived = Record(0, NOW, copy.key, copy.value, copy.headers, erasure=True)
        outcome = rules_of_three.process(copy.partition, {}.get, [arrived], None)
        assert outcome.messages == [], "neither passed on nor answered where nobody knew the user"
        assert len(outcome.state) == 1
        assert counted(rules_of_three, copy.partition).erasures == 0


@pytest.mark.parametrize(
    ("value", "error_class"),
    [
        (None, "null-value"),
        (b"forget me", "not-json"),
        (b'{"user_id":"u","requested_at":"2017-01-05T00:00:00Z"}', "missing-field"),
        (b'{"user_id":"u","requested_at":"yesterday","request_id":"r"}', "bad-timestamp"),
        (b'{"user_id":"u","requested_at":"1970-01-01T00:00:00Z","request_id":"r"}', "timestamp-too-early"),
        (b'{"user_id":"u","requested_at":"2099-01-01T00:00:00Z","request_id":"r"}', "timestamp-in-future"),
        (b'{"user_id":"","requested_at":"2017-01-05T00:00:00Z","request_id":"r"}', "bad-id"),
        (b'{"user_id":"u\\u0000","requested_at":"2017-01-05T00:00:00Z","request_id":"r"}', "bad-id"),
    ],
)
def test_a_malformed_request_goes_to_the_dead_letters_and_the_rest_goes_on(
    value: bytes | None, error_class: str
) -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0), purchase("e2", "v", 0))
    requests = [
        Record(4, NOW, b"k", value, (("trace", b"1"),), erasure=True),
        Record(5, NOW, b"v", request("v", NOW), (), erasure=True),
    ]
    outcome = worker.stage.process(0, worker.table.get, requests, None)
    (letter,) = on(DEAD_LETTERS, outcome)
    assert (letter.key, letter.value) == (b"k", value)
    headers = dict(letter.headers)
    assert headers["error-class"] == error_class.encode()
    assert (headers["source-topic"], headers["source-offset"]) == (ERASURES.encode(), b"4")
    assert headers["trace"] == b"1"
    assert b"u" not in outcome.state
    assert outcome.state[b"v"] is None


def test_the_models_cache_forgets_the_user() -> None:
    class Caching(FixedModel):
        def __init__(self) -> None:
            self.forgotten: list[str] = []

        def forget(self, user_ids: Iterable[str]) -> None:
            self.forgotten += user_ids

    model = Caching()
    worker = Worker()
    worker.stage = new_stage(model)
    worker.stage.open(0, [])
    worker.process(purchase("e1", "u", 0))
    erase(worker, request("u", NOW), request("nobody", NOW))
    assert set(model.forgotten) == {"u"}


def test_a_source_that_is_down_holds_no_request_back() -> None:
    worker = Worker(live=True)
    worker.process(purchase("e1", "u", 0), now_ms=NOW)
    worker.process(now_ms=NOW + DAY_MS)
    outcome = erase(worker, request("u", NOW), now_ms=NOW + DAY_MS)
    assert outcome.state[b"u"] is None


def test_a_worker_without_the_secret_that_marks_were_made_with_does_not_start() -> None:
    made = ErasedUsers([b"first secret"])
    table = dict(made.marks([Erasure("u", 5)], {}.get))
    with pytest.raises(StateError, match="STREAMER_ERASURE_SECRET"):
        _open(new_stage(mark_keys=[b"another"]), table)
    _open(new_stage(mark_keys=[b"another", b"first secret"]), table)


def test_users_erased_before_there_was_a_secret_are_still_known() -> None:
    before = ErasedUsers(mark_keys(Settings()))
    table = dict(before.marks([Erasure("u", 5)], {}.get))
    after = ErasedUsers(mark_keys(Settings(erasure_secret=Secret("0123456789abcdef"))))
    for mark, stored in table.items():
        after.adopt(mark, stored)
    refused = after.refused(table.get)
    assert refused.until_ms == 5
    assert refused.covers("u", 5)
    assert not refused.covers("u", 6)
    assert not refused.covers("v", 5)
    newer = after.marks([Erasure("v", 4)], table.get)
    assert set(newer).isdisjoint(before.marks([Erasure("v", 4)], {}.get))
    assert all(mark.startswith(MARK_PREFIX) for mark in newer)


def test_a_secret_comes_from_a_file_and_not_too_short(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef\n")
    given = mark_keys(Settings(erasure_secret=Secret("0123456789abcdef")))
    assert mark_keys(Settings(erasure_secret_file=file)) == given
    with pytest.raises(ConfigurationError, match="16 characters") as refusal:
        mark_keys(Settings(erasure_secret=Secret("hunter2")))
    assert "hunter2" not in str(refusal.value)


def _open(stage: ScoringStage, table: dict[bytes, bytes]) -> None:
    stage.open(0, table.items())
