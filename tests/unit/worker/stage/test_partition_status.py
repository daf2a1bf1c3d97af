"""Statuses beside offsets: bounded, exact over take-overs, harmless when damaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StateError
from streamer.core.engine.trial_comparison import TrialComparison
from streamer.worker.stage.partition.counters import Counters, bounded, count_spelling, printable, total
from streamer.worker.stage.partition.partition_record import SourceTopics, TakenUp
from streamer.worker.stage.partition.partition_status import (
    MOST_BYTES,
    REFUSAL_CHARACTERS,
    PartitionStatus,
    SourceStatus,
    TrialStatus,
    decode_status,
    encode_status,
    worker_identity,
)
from streamer.worker.stage.partition.recent_reads import RecentReads, Span
from streamer.worker.stage.partition.user_places import UserPlaces
from tests.unit.worker.stage.test_scoring_stage import START, WORKER, counted, new_stage, purchase
from tests.unit.worker.stage.test_scoring_stage import Worker as StageWorker

NOW = START


def spelt(types: Iterable[str]) -> dict[str, int]:
    """The counts after events of these types."""
    counts: dict[str, int] = {}
    for name in types:
        count_spelling(counts, name)
    return counts


names = st.dictionaries(st.text(max_size=40), st.integers(0, 2**62), max_size=40)
numbers = st.integers(0, 2**62)
amounts = st.dictionaries(st.sampled_from(["value", "price", "quantity", "rating"]), numbers)
spellings = st.lists(st.text(max_size=80), max_size=20).map(spelt)
all_counters = st.builds(Counters, *[numbers] * 6, *[names] * 4, amounts, spellings)


def said(counters: Counters | None = None, **changes: Any) -> PartitionStatus:
    return PartitionStatus(
        **{"said_ms": NOW, "worker": WORKER, "counters": counters or Counters(), **changes}
    )


@given(counters=all_counters, text=st.text(min_size=1, max_size=300), moment=st.integers(-(2**62), 2**62))
def test_a_status_is_bounded_and_keeps_every_total(counters: Counters, text: str, moment: int) -> None:
    worker = worker_identity(
        instance_id=text,
        host=text,
        pid=2**31,
        mode=text,
        model=text,
        model_version=text,
        model_sha256=text,
        policy_sha256=text,
        providers=(text,) * 9,
    )
    source = SourceStatus(moment, moment, down=True)
    topics, model = SourceTopics("A" * 22, "A" * 22, 2**31), TakenUp("f" * 64, 2**62, 2**62)
    trial = TrialStatus(
        "f" * 12, printable(text, REFUSAL_CHARACTERS), TrialComparison(2**62, 1e300, 1.0, 2**62)
    )
    encoded = encode_status(
        PartitionStatus(
            moment,
            worker,
            counters,
            moment,
            held=True,
            source=source,
            topics=topics,
            model=model,
            trial=trial,
            places=UserPlaces(2**62, 2**62, 2**62, 2**62),
            recent=RecentReads(moment, Span(moment, 2**62), Span(moment, 2**62), "f" * 24, "f" * 24),
        )
    )
    assert len(encoded.encode()) <= MOST_BYTES
    decoded = msgspec.json.decode(encoded)["counters"]
    assert decoded.get("spellings", {}) in (counters.spellings, {})
    for field in set(Counters.__struct_fields__) - {"spellings"}:
        before, after = getattr(counters, field), decoded.get(field, 0 if field not in names_fields() else {})
        assert after == before if isinstance(before, int) else sum(after.values()) == sum(before.values())


def names_fields() -> set[str]:
    return {"skipped", "dead_letters", "alerts", "decisions", "unreadable"}


def test_what_is_usual_comes_back_as_it_was() -> None:
    status = said(
        Counters(records=9, events=7, skipped={"anonymous": 1}, dead_letters={"not-json": 1}),
        clock_ms=START,
        held=True,
        source=SourceStatus(START, 1_800_000, down=False),
    )
    assert decode_status(encode_status(status)) == status
    assert decode_status("") is None


FIRST_RELEASE = (
    '{"format":1,"said_ms":1483228800000,"worker":{"name":"w1","host":"host","pid":7,"mode":"live",'
    '"model":"fixed","model_version":"1","model_sha256":"000000000000","policy_sha256":"000000000000",'
    '"providers":["CPUExecutionProvider"]},"counters":{"records":9,"events":7,"skipped":{"anonymous":1}},'
    '"clock_ms":1483228800000,"held":true,'
    '"source":{"quiet_since_ms":1483228800000,"patience_ms":1800000,"down":false}}'
)


@pytest.mark.parametrize(
    "text",
    [FIRST_RELEASE, FIRST_RELEASE.replace('"held":true', '"held":true,"of_a_later_release":{"a":[1]}')],
    ids=["of the first release", "of a later one"],
)
def test_releases_read_each_others_statuses(text: str) -> None:
    """During a rolling upgrade partitions go from newer workers to older ones and back."""
    status = decode_status(text)
    assert status is not None
    assert status.worker == WORKER
    assert status.counters == Counters(records=9, events=7, skipped={"anonymous": 1})
    assert (status.clock_ms, status.held) == (START, True)
    assert status.source == SourceStatus(START, 1_800_000, down=False)


def test_the_spellings_that_came_last_are_kept_and_cut() -> None:
    seen = spelt(["Purchase", "order completed", "Purchase", *(f"Step {n}" for n in range(6)), "Purchase"])
    assert list(seen)[-1] == "Purchase"
    assert seen["Purchase"] == 3
    assert set(spelt([*seen, "another"])) == {*seen, "another"} - {"order completed"}
    (long,) = spelt(["Заказ оформлен " * 20])
    assert long.startswith("Заказ оформлен ")
    assert len(long.encode()) <= 64
    assert list(spelt(['a"b\\\n\ud800' * 1])) == ["a?b???"]


def test_what_was_seen_lately_makes_room_for_the_totals() -> None:
    names = {f"{number:02}" + "n" * 30: 2**62 - number for number in range(12)}
    counters = Counters(
        skipped=names,
        dead_letters=names,
        alerts=names,
        decisions=names,
        unreadable=names,
        spellings=spelt(f"{number}" + "s" * 80 for number in range(8)),
    )
    recent = RecentReads(NOW, Span(NOW), Span(NOW))
    trial = TrialStatus("f" * 12, "r" * REFUSAL_CHARACTERS)
    encoded = encode_status(said(counters, recent=recent, trial=trial))
    assert len(encoded) <= MOST_BYTES
    found = decode_status(encoded)
    assert found is not None
    assert (found.recent, found.counters) == (None, bounded(msgspec.structs.replace(counters, spellings={})))


def test_rare_names_become_other() -> None:
    counts = {f"reason-{number:02}": number for number in range(1, 21)}
    once = bounded(Counters(skipped=counts)).skipped
    assert len(once) == 12
    assert once["reason-20"] == 20
    assert once["other"] == sum(range(1, 10))
    assert bounded(Counters(skipped=once)).skipped == once


@pytest.mark.parametrize(
    "text",
    [
        "somebody's note",
        "{}",
        "\x00",
        encode_status(said())[:-4],
        encode_status(said()).replace('"format":1', '"format":2'),
        encode_status(said(Counters(events=5))).replace(":5", ":-5"),
        encode_status(said(Counters(events=5))).replace(":5", ":1e99"),
    ],
)
def test_what_cannot_be_read_is_refused_and_counted_from_nothing(text: str) -> None:
    with pytest.raises(StateError, match="start again from nothing"):
        decode_status(text)
    stage = new_stage()
    stage.open(0, [], text)
    assert counted(stage) == Counters()


def test_counts_go_on_where_the_last_owner_stood() -> None:
    undisturbed, handed_on = StageWorker(), StageWorker()
    batches = [[purchase(f"e{n}", f"u{n % 3}", n), b"no event"] for n in range(12)] + [
        [purchase("x", "y", 40)]
    ]
    for batch in batches:
        undisturbed.process(*batch)
        status = handed_on.stage.status(0, NOW)
        handed_on.stage = new_stage()
        handed_on.stage.open(0, list(handed_on.table.items()), status)
        handed_on.process(*batch)
    counters = counted(handed_on.stage)
    assert counters == counted(undisturbed.stage)
    assert (counters.records, counters.events) == (25, 13)
    assert counters.dead_letters == {"not-json": 12}
    assert counters.alerts["raised"] == 3


def test_totals_add_up() -> None:
    summed = total(
        [Counters(events=1, alerts={"raised": 2}), Counters(events=2, alerts={"raised": 1, "resolved": 1})]
    )
    assert summed == Counters(events=3, alerts={"raised": 3, "resolved": 1})


def test_wall_time_and_who_speaks_change_no_output() -> None:
    one, other = StageWorker(), StageWorker(worker=msgspec.structs.replace(WORKER, name="w2"))
    for number in range(5):
        batch = purchase(f"e{number}", "u", 9 * number)
        assert one.process(batch) == other.process(batch)
        one.stage.status(0, number)
    assert one.stage.status(0, NOW) != other.stage.status(0, NOW)
