"""Who is to blame when a batch fails: one record, or what all of them need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from schemas.dead_letter import read_dead_letter
from schemas.errors import StateError
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.poison import NOBODY, separate
from streamer.core.history.token import as_array, hash_text, tokenise
from streamer.core.model.answers import Answers
from streamer.core.model.risk_model import Encoding
from streamer.inference.bundle import load_bundle
from streamer.inference.risk_model import OnnxRiskModel
from streamer.testing.fixed_model import FixedModel
from streamer.worker.stage import intake
from streamer.worker.stage.protocol import Message, Record
from tests.unit.worker.stage.test_scoring_stage import START, Worker, counted, new_stage, on, purchase

DEMO_BUNDLE = Path(__file__).parents[4] / "streamer" / "demo" / "bundle"
DEAD_LETTERS = "shop.churn.dlq.v1"


def numbered(count: int) -> list[PartitionEvent]:
    return [
        PartitionEvent(n, START, f"u{n}", tokenise(Event(f"e{n}", f"u{n}", "view", START)))
        for n in range(count)
    ]


class Attempts:
    """Fails where one of ``poison`` (offsets) is among the events; counts how often it was asked."""

    def __init__(self, *poison: int) -> None:
        self.poison = set(poison)
        self.made = 0

    def __call__(self, events: Sequence[PartitionEvent]) -> Exception | None:
        self.made += 1
        guilty = [e.offset for e in events if e.offset in self.poison and e.user_id != NOBODY]
        return ValueError(f"record {guilty[0]}") if guilty else None


@pytest.mark.parametrize("at", [0, 1, 777, 1998, 1999])
def test_one_poison_among_two_thousand_takes_few_attempts(at: int) -> None:
    attempts = Attempts(at)
    good, poison = separate(numbered(2000), attempts)
    assert [event.offset for event in good] == [n for n in range(2000) if n != at]
    assert [(event.offset, str(error)) for event, error in poison] == [(at, f"record {at}")]
    assert attempts.made <= 2 * math.log2(2000) + 5


def test_dense_poison_takes_few_attempts_for_each() -> None:
    attempts = Attempts(*range(0, 300, 2))
    good, poison = separate(numbered(300), attempts)
    assert (len(good), len(poison)) == (150, 150)
    assert attempts.made <= 6 * 150


def test_a_failure_that_comes_and_goes_is_no_records_fault() -> None:
    fails = iter([True, False, False, False])
    good, poison = separate(numbered(1), lambda _: OSError("once") if next(fails) else None)
    assert len(good) == 1
    assert poison == []


class Failing(FixedModel):
    """A model whose parts fail when they are told to, whatever they are given."""

    def __init__(self, *parts: str) -> None:
        self.parts = set(parts)

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        self._fail("encode")
        return super().encode(encodings)

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        self._fail("query")
        return super().query(hidden, features)

    def _fail(self, part: str) -> None:
        if part in self.parts:
            raise RuntimeError(f"the session of {part} is lost")


@pytest.mark.parametrize("part", ["encode", "query"])
def test_a_lost_session_blames_no_record(part: str) -> None:
    worker, model = Worker(), Failing()
    worker.stage = new_stage(model)
    worker.stage.open(0, [])
    worker.process(purchase("e1", "u", 0))
    model.parts = {part}
    before = dict(worker.table)
    with pytest.raises(RuntimeError, match=f"the session of {part} is lost"):
        worker.process(purchase("e2", "v", 0), purchase("e3", "w", 0))
    assert worker.table == before


def test_a_failing_deadline_of_somebody_else_blames_no_record() -> None:
    worker = Worker()
    worker.process(purchase("e1", "silent", 0))
    worker.stage = new_stage(Failing("query"))
    worker.stage.open(0, worker.table.items())
    with pytest.raises(RuntimeError, match="the session of query is lost"):
        worker.process(now_ms=START + 30 * DAY_MS)


class FailsForSilence(FixedModel):
    """Cannot answer for somebody who has been silent for long."""

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        if len(features) == len(self.silence_grid_ms):
            raise RuntimeError("no curve")
        return super().query(hidden, features)


def test_who_makes_time_pass_is_not_to_blame_for_what_is_due() -> None:
    worker = Worker()
    worker.stage = new_stage(FailsForSilence())
    worker.stage.open(0, [])
    worker.process(purchase("e1", "silent", 0))
    with pytest.raises(RuntimeError, match="no curve"):
        worker.process(purchase("e2", "busy", 30))


def test_a_store_that_cannot_be_read_blames_no_record() -> None:
    worker = Worker()

    def broken(key: bytes) -> bytes | None:
        raise OSError(f"Corruption: block checksum mismatch at {key!r}")

    record = Record(0, START, b"u", purchase("e1", "u", 0))
    with pytest.raises(StateError, match="local store cannot be read"):
        worker.stage.process(0, broken, [record], None)


def test_what_decoding_should_never_raise_is_the_records_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    real = intake.tokenise

    def tokenise_most(event: Event, currency: str | None = None) -> bytes:
        if event.event_id == "odd":
            raise OverflowError("too large to pack")
        return real(event, currency)

    monkeypatch.setattr(intake, "tokenise", tokenise_most)
    worker = Worker()
    outcome = worker.process(purchase("e1", "u", 0), purchase("odd", "v", 0), purchase("e3", "w", 0))
    (letter,) = on(DEAD_LETTERS, outcome)
    said = read_dead_letter(letter.headers)
    assert (said.error_class, said.source_offset) == ("processing-failed", 1)
    assert said.error_message.endswith("OverflowError: too large to pack")
    assert {b"u", b"w"} <= set(worker.table)
    assert b"v" not in worker.table
    assert (counted(worker.stage).events, counted(worker.stage).records) == (2, 3)


class PoisonousOnnx(OnnxRiskModel):
    """The real model, which fails after it has written the keys and values of all in the batch."""

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        hidden = super().encode(encodings)
        for encoding in encodings:
            if (as_array(encoding.ring)[-encoding.asked :]["item"] == hash_text("poison")).any():
                raise ValueError("no row of the table")
        return hidden


def test_no_cached_key_or_value_outlives_a_failed_attempt() -> None:
    bundle = load_bundle(DEMO_BUNDLE)

    def told(poisonous: bool) -> tuple[dict[bytes, bytes], list[Message]]:
        worker = Worker()
        worker.stage = new_stage(PoisonousOnnx(bundle, 8))
        worker.stage.open(0, [])
        messages: list[Message] = []
        for batch in range(6):
            values = [purchase(f"e{batch}.{n}", f"u{n % 3}", batch + n / 9) for n in range(9)]
            bad = with_item(purchase(f"p{batch}", "u1", batch + 0.5), "poison") if poisonous else b""
            values.insert(batch, bad)
            outcome = worker.process(*values)
            assert len(on(DEAD_LETTERS, outcome)) == 1
            messages += [message for message in outcome.messages if message.topic != DEAD_LETTERS]
        return worker.table, messages

    assert told(poisonous=True) == told(poisonous=False)


def with_item(value: bytes, item_id: str) -> bytes:
    return value.replace(b'"type"', f'"item_id": "{item_id}", "type"'.encode())
