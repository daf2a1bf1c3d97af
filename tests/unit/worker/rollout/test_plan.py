"""The exchange of the model: decisions, trials, and the offset from which a partition is scored anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.errors import BundleError, StateError
from schemas.parts import ModelReference
from streamer.worker.rollout.plan import (
    NO_ROLLOUT,
    BundleReference,
    Decided,
    Rollout,
    decode_rollout,
    dropped,
    encode_rollout,
    loaded,
    promoted,
    reset,
    rolled_back,
)
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, TakenUp, decode_record
from streamer.worker.stage.partition.partition_status import PartitionStatus, decode_status
from streamer.worker.stage.partition.scorers import Models, Scorer, Trial
from streamer.worker.stage.protocol import BatchOutcome
from tests.unit.worker.stage.test_scoring_stage import START, OtherModel, Worker, new_stage, on, purchase

OLD = BundleReference("/bundles/old", "shop", "1", "0" * 64)
NEW = BundleReference("/bundles/new", "shop", "2", "1" * 64)


class Failing(OtherModel):
    """A model on trial that cannot answer."""

    def query(self, hidden: Any, features: Any) -> Any:  # noqa: ARG002 - the model's interface
        raise RuntimeError("out of luck")


def status_of(worker: Worker) -> PartitionStatus:
    status = decode_status(worker.stage.status(0, START))
    assert status is not None
    return status


def other_scorer(worker: Worker, model: OtherModel | None = None) -> Scorer:
    """What may take over from the stage's model, under a name of its own."""
    before = worker.stage.models.serving
    messages = replace(before.messages, model=ModelReference("fixed", "2", NEW.sha256))
    identity = msgspec.structs.replace(before.worker, model_version="2", model_sha256=NEW.sha256[:12])
    policy = msgspec.structs.replace(before.rules.policy, edges=(0.01, 0.6, 0.8), hysteresis=0.005)
    return Scorer(before.rules._replace(policy=policy), model or OtherModel(), messages, identity)


def versions(outcome: BatchOutcome) -> set[str]:
    scores = [json.loads(m.value or b"") for m in on("shop.churn.scores.v1", outcome)]
    alerts = [json.loads(m.value or b"")["data"] for m in on("shop.churn.alerts.v1", outcome)]
    return {each["model"]["version"] for each in (*scores, *alerts)}


def recorded(worker: Worker) -> TakenUp | None:
    return decode_record(worker.table[CLOCK_KEY]).model


def serve(worker: Worker, scorer: Scorer, since: int) -> None:
    worker.stage.models.serving, worker.stage.models.since = scorer, since


def test_decisions_follow_each_other() -> None:
    trial = loaded(NO_ROLLOUT, NEW, OLD)
    assert (trial.serving, trial.candidate, trial.since) == (OLD, NEW, 0)
    served = promoted(trial)
    assert (served.serving, served.candidate, served.previous) == (NEW, None, OLD)
    assert served.since == served.revision == 2
    back = rolled_back(served)
    assert (back.serving, back.previous, back.since) == (OLD, NEW, 3)
    assert dropped(trial) == Rollout(revision=2, serving=OLD)
    assert reset(START) == Rollout(revision=START, since=START)
    assert decode_rollout(encode_rollout(served)) == served


@pytest.mark.parametrize(
    ("decide", "words"),
    [
        (lambda: promoted(NO_ROLLOUT), "streamer model load"),
        (lambda: rolled_back(loaded(NO_ROLLOUT, NEW, OLD)), "nothing to roll back to"),
        (lambda: dropped(NO_ROLLOUT), "nothing to drop"),
        (lambda: loaded(NO_ROLLOUT, OLD, OLD), "serves already"),
    ],
)
def test_what_cannot_be_decided_is_said(decide: Callable[[], Rollout], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        decide()


def test_what_is_no_decision_is_refused_in_words() -> None:
    with pytest.raises(StateError, match="streamer model reset"):
        decode_rollout(b"{}x")


@pytest.mark.parametrize(
    "data",
    [
        b"{}x",
        b"",
        b"\xff\x00",
        b'{"since":"\xff"}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"revision":-1}',
        b'{"revision":1e300}',
        b'{"revision":99999999999999999999}',
        encode_rollout(loaded(NO_ROLLOUT, NEW, OLD)).replace(b'"/b', b'"\\u0000/b'),
    ],
)
def test_a_record_that_cannot_be_read_changes_no_decision_and_is_over_with_the_next(data: bytes) -> None:
    trial = loaded(NO_ROLLOUT, NEW, OLD)
    for before in (NO_ROLLOUT, trial):
        found = Decided(before).after(data)
        assert found.rollout == before
        assert "streamer model reset" in found.unreadable
        assert found.after(encode_rollout(trial)) == Decided(trial)


def test_a_partition_that_followed_what_cannot_be_read_any_more_says_the_way_out_and_takes_it() -> None:
    worker = Worker()
    serve(worker, other_scorer(worker), since=4)
    worker.process(purchase("e1", "u", 0))
    anew = new_stage()
    with pytest.raises(StateError, match="streamer model reset"):
        anew.open(0, worker.table.items())
    anew.models.since = reset(START).since
    anew.open(0, worker.table.items())


def test_a_partition_takes_a_model_up_between_two_batches() -> None:
    worker = Worker()
    assert versions(worker.process(purchase("e1", "u", 0), purchase("e2", "v", 0))) == {"1"}
    assert recorded(worker) == TakenUp("0" * 64, 0, 0)
    serve(worker, other_scorer(worker), since=4)
    outcome = worker.process(purchase("e3", "u", 1))
    assert versions(outcome) == {"2"}
    assert recorded(worker) == TakenUp(NEW.sha256, 2, 4)
    assert status_of(worker).model == recorded(worker)
    assert status_of(worker).worker.model_version == "2"
    worker.process(purchase("e4", "u", 2))
    assert recorded(worker) == TakenUp(NEW.sha256, 2, 4)


def test_a_tick_takes_a_model_up_as_well_and_everybody_is_looked_at_within_the_hour() -> None:
    worker = Worker(live=True)
    worker.process(purchase("e1", "u", 40), now_ms=START + 40 * 86_400_000)
    serve(worker, other_scorer(worker), since=1)
    outcome = worker.process(now_ms=START + 40 * 86_400_000 + 1)
    assert outcome.news
    assert recorded(worker) == TakenUp(NEW.sha256, 1, 1)
    outcome = worker.process(purchase("e2", "v", 40.1), now_ms=START + 40 * 86_400_000 + 2 * 3_600_000)
    assert b"u" in outcome.state


def test_taking_a_model_up_is_as_starting_anew_with_it() -> None:
    history = [purchase(f"e{n}", f"u{n % 5}", n / 3) for n in range(30)]
    later = [[purchase(f"l{n}", f"u{n % 3}", 11 + n * 2)] for n in range(12)]
    running, restarted = Worker(), Worker()
    sent: list[list[Any]] = []
    for worker in (running, restarted):
        worker.process(*history)
        scorer = other_scorer(worker)
        if worker is restarted:
            worker.stage = new_stage()
        serve(worker, scorer, since=1)
        if worker is restarted:
            worker.stage.open(0, list(worker.table.items()), "", worker.offset)
        sent.append([message for batch in later for message in worker.process(*batch).messages])
    assert sent[0] == sent[1]
    assert len(sent[0]) > 20
    assert running.table == restarted.table


def test_after_a_crash_a_batch_is_scored_by_the_model_that_it_had() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    committed, offset = dict(worker.table), worker.offset
    scorer = other_scorer(worker)
    serve(worker, scorer, since=1)
    worker.process(purchase("e2", "u", 1))
    after = dict(worker.table)
    # A worker that lacks the decision ends; one that has it goes on, also if the last transaction is gone.
    with pytest.raises(StateError, match="reads the newest at its next start"):
        new_stage().open(0, list(after.items()))
    on_trial = new_stage()
    on_trial.models.trial = Trial(NEW.sha256, scorer)
    on_trial.open(0, list(after.items()), "", worker.offset)
    assert decode_status(on_trial.status(0, START)).model == TakenUp(NEW.sha256, 1, 1)  # type: ignore[union-attr]
    worker.table, worker.offset, worker.stage = committed, offset, new_stage()
    serve(worker, scorer, since=1)
    worker.stage.open(0, list(committed.items()), "", offset)
    assert versions(worker.process(purchase("e2", "u", 1))) == {"2"}
    assert worker.table == after


def test_a_partition_that_no_decision_concerns_stays_as_it_is() -> None:
    worker = Worker()
    models = worker.stage.models
    taken_up = TakenUp(models.serving.sha256, 7, 0)
    assert models.after(taken_up) is None
    models.since = 3
    assert models.after(taken_up) is None
    assert Models(other_scorer(worker), since=2).after(TakenUp("0" * 64, 0, 3)) is None


def test_a_trial_compares_and_sends_nothing() -> None:
    alone, tried = Worker(), Worker()
    scorer = other_scorer(tried)
    tried.stage.models.trial = Trial(NEW.sha256)
    batches = [[purchase(f"e{n}", f"u{n % 3}", n)] for n in range(12)] + [[purchase("x", "y", 30)]]
    for number, batch in enumerate(batches):
        if number == 2:
            tried.stage.models.trial = Trial(NEW.sha256, scorer)
        expected, found = alone.process(*batch), tried.process(*batch)
        assert (found.state, found.messages) == (expected.state, expected.messages)
    trial = status_of(tried).trial
    assert trial is not None
    assert trial.compared is not None
    assert trial.compared.scores >= 11
    # The models are the same but for their names; only the bands differ.
    assert trial.compared.most == 0
    assert trial.compared.bands > 0

    tried.stage.close(0)
    tried.stage.open(0, list(tried.table.items()), alone.stage.status(0, START))
    assert status_of(tried).trial is None, "said by nobody yet"


def test_what_was_compared_counts_on_with_the_next_owner() -> None:
    worker = Worker()
    worker.stage.models.trial = Trial(NEW.sha256, other_scorer(worker))
    worker.process(purchase("e1", "u", 0))
    said = worker.stage.status(0, START)
    worker.stage = new_stage()
    worker.stage.open(0, list(worker.table.items()), said)
    worker.stage.models.trial = Trial(NEW.sha256, other_scorer(worker))
    worker.process(purchase("e2", "u", 1))
    trial = status_of(worker).trial
    assert trial is not None
    assert trial.compared is not None
    assert trial.compared.scores == 2
    worker.stage.models.trial = None
    assert worker.process().news
    assert status_of(worker).trial is None


def test_a_model_that_fails_on_trial_is_refused_and_the_old_one_goes_on() -> None:
    worker = Worker()
    worker.stage.models.trial = Trial(NEW.sha256, other_scorer(worker, Failing()))
    assert versions(worker.process(purchase("e1", "u", 0))) == {"1"}
    assert worker.process().news
    trial = status_of(worker).trial
    assert trial is not None
    assert "out of luck" in trial.refusal
    assert versions(worker.process(purchase("e2", "u", 1))) == {"1"}
