"""A poison batch: the events that cannot be applied become dead letters, and nothing else is different."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.dead_letter import read_dead_letter
from schemas.event import Event, Item
from schemas.wire.encoding import encode_event
from streamer.core.history.token import as_array, hash_text
from streamer.core.model.answers import Answers
from streamer.core.model.risk_model import Encoding
from streamer.testing.fixed_model import FixedModel
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.protocol import BatchOutcome, Message, Record
from streamer.worker.stage.scoring_stage import ScoringStage
from tests.property.test_partition import GAPS_MS, LATE_MS, START_MS
from tests.unit.worker.stage.test_scoring_stage import counted, new_stage

DEAD_LETTERS = "shop.churn.dlq.v1"
POISON_ITEM = "poison"
POISON_USER = "z"


class Poisonous(FixedModel):
    """Raises for events of one item, sometimes only after the vectors were made, and for all of one user."""

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        hidden = super().encode(encodings)
        asked = [token for each in encodings for token in as_array(each.ring)[-each.asked :]]
        if any(encoding.user_id == POISON_USER for encoding in encodings):
            raise ValueError("this user's events cannot be encoded")
        for row, token in zip(hidden, asked, strict=True):
            if token["item"] == hash_text(POISON_ITEM):
                if token["time"] % 2:
                    raise ValueError("no row of the table")
                row[0] = np.inf
        return hidden

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        if np.isinf(hidden[:, 0]).any():
            raise ArithmeticError("a risk that is no number")
        return super().query(hidden, features)


class Batch(NamedTuple):
    """Records, wall time where it counts, and whether the worker crashes after them."""

    records: list[Record]
    now_ms: int | None
    crash: bool


steps = st.tuples(
    st.sampled_from(GAPS_MS),
    st.sampled_from(LATE_MS),
    st.sampled_from("abcd" + POISON_USER),
    st.sampled_from(("view", "add_to_cart", "remove_from_cart", "purchase")),
    st.sampled_from((None, None, None, "soap", POISON_ITEM)),
    st.integers(0, 1),
)
cuts = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), min_size=1, max_size=6)


def is_poison(event: Event) -> bool:
    return event.user_id == POISON_USER or any(item.item_id == POISON_ITEM for item in event.items)


def history(drawn: list[tuple[int, int, str, str, str | None, int]]) -> list[Event]:
    clock, events = START_MS, list[Event]()
    for number, (gap, late, user_id, event_type, item_id, odd) in enumerate(drawn):
        clock += gap + odd
        items = () if item_id is None else (Item(item_id),)
        events.append(Event(f"e{number}", user_id, event_type, clock - late, items))
    return events


def batches(records: list[Record], drawn: list[tuple[int, bool, bool]]) -> Iterator[Batch]:
    at = 0
    for size, wall, crash in cycle(drawn):
        part = records[at : at + size]
        at += size
        newest_ms = max((record.timestamp_ms for record in records[:at]), default=START_MS)
        yield Batch(part, newest_ms + 5_000 if wall else None, crash)
        if at >= len(records):
            return


class Run:
    """A stage with a table, driven batch by batch."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self.table: dict[bytes, bytes] = {}
        self.outcomes: list[tuple[dict[bytes, bytes | None], list[Message]]] = []
        self.letters: list[Message] = []
        self.counters = Counters()
        self._said = ""
        self._stage = self._opened()

    def process(self, batch: Batch) -> None:
        outcome: BatchOutcome = self._stage.process(0, self.table.get, batch.records, batch.now_ms)
        for key, value in outcome.state.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        self.letters += [message for message in outcome.messages if message.topic == DEAD_LETTERS]
        told = [message for message in outcome.messages if message.topic != DEAD_LETTERS]
        self.outcomes.append((outcome.state, told))
        self.counters, self._said = counted(self._stage), self._stage.status(0, START_MS)
        if batch.crash:
            self._stage = self._opened()

    def _opened(self) -> ScoringStage:
        stage = new_stage(Poisonous(), live=self._live)
        stage.open(0, list(self.table.items()), self._said)
        return stage


@settings(max_examples=120, deadline=None)
@given(events=st.lists(steps, min_size=1, max_size=40).map(history), cut=cuts, live=st.booleans())
def test_only_the_guilty_go_to_the_dead_letters(
    events: list[Event], cut: list[tuple[int, bool, bool]], live: bool
) -> None:
    records = [
        Record(offset, event.timestamp, event.user_id.encode(), encode_event(event))
        for offset, event in enumerate(events)
    ]
    poisoned, clean = Run(live=live), Run(live=live)
    for batch in batches(records, [(size, wall and live, crash) for size, wall, crash in cut]):
        poisoned.process(batch)
        refused = {read_dead_letter(letter.headers).source_offset for letter in poisoned.letters}
        # Where the others have a record that nobody could read.
        clean.process(
            batch._replace(
                records=[
                    replace(record, value=b"") if record.offset in refused else record
                    for record in batch.records
                ]
            )
        )
    assert poisoned.outcomes == clean.outcomes
    assert poisoned.table == clean.table

    letters = {read_dead_letter(letter.headers).source_offset: letter for letter in poisoned.letters}
    assert len(letters) == len(poisoned.letters)
    guilty = {record.offset for record, event in zip(records, events, strict=True) if is_poison(event)}
    # One that is older than all that is kept of its user is only counted, by rules that no model is asked in.
    assert set(letters) <= guilty
    assert set(letters) == guilty or any(event.timestamp <= newest for event, newest in latest(events))
    for offset, letter in letters.items():
        assert (letter.key, letter.value) == (records[offset].key, records[offset].value)
        said = read_dead_letter(letter.headers)
        assert (said.error_class, said.attempts) == ("processing-failed", 1)
        assert "ValueError: " in said.error_message or "ArithmeticError: " in said.error_message
    assert poisoned.counters.events == len(records) - len(letters)
    assert poisoned.counters.dead_letters == ({"processing-failed": len(letters)} if letters else {})


def latest(events: Sequence[Event]) -> Iterator[tuple[Event, int]]:
    """Each event, and the newest time before it."""
    newest = 0
    for event in events:
        yield event, newest
        newest = max(newest, event.timestamp)
