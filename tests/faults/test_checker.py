"""The checker can fail: topics that were tampered with are each named for what is wrong with them."""

from __future__ import annotations

from functools import cache
from itertools import islice

import msgspec
import numpy as np
import pytest

from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS
from streamer.core.history.aggregates import COLUMN
from streamer.core.user_state import decode_state, encode_state
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, encode_record
from tests.bundles import DEMO_BUNDLE
from tests.faults.checker import Observed, check
from tests.faults.findings import Finding
from tests.faults.progress import Ends, Sample
from tests.faults.reading import Row
from tests.faults.reference import KEPT, Effect, Exchange, Expected, expect_partition
from tests.faults.sampled_offsets import VISIBLE_WITHIN_S, check_samples
from tests.faults.shoppers import Shoppers

RECORDS = 1_500
ENVIRONMENT = {"STREAMER_BUNDLE": str(DEMO_BUNDLE), "STREAMER_MODE": "event-time"}


def rows(count: int = RECORDS) -> list[Row]:
    sent = islice(Shoppers(seed=5, users=60).stream(), count)
    return [Row(offset, s.timestamp_ms, s.key, s.value, s.headers) for offset, s in enumerate(sent)]


def without(records: list[Row], offset: int) -> list[Row]:
    return [row for row in records if row.offset != offset]


@cache
def reference() -> Expected:
    return expect_partition(ENVIRONMENT, 0, 1, rows())


def delivered(effects: list[Effect]) -> list[Row]:
    """The effects as a topic holds them, with the markers of transactions among them."""
    return [Row(2 * n, n, e.key, e.value, e.headers) for n, e in enumerate(effects)]


def observed_of(expected: Expected, said: str = "") -> Observed:
    """What a worker that makes no mistake leaves behind."""
    kept = {topic: delivered(effects) for topic, effects in expected.kept.items()}
    return Observed(
        kept, dict(expected.scores), dict(expected.table), RECORDS, said or status_of(expected), RECORDS
    )


def status_of(expected: Expected) -> str:
    worker = {"name": "w", "host": "h", "pid": 1, "mode": "event-time", "model": "m", "model_version": "1"}
    worker |= {"model_sha256": "", "policy_sha256": "", "providers": []}
    said = {"format": 1, "said_ms": 0, "worker": worker, "counters": msgspec.to_builtins(expected.counters)}
    return msgspec.json.encode(said).decode()


def kinds(observed: Observed, expected: Expected | None = None) -> set[str]:
    return {finding.kind for finding in check({0: observed}, {0: expected or reference()})}


def repeated(records: list[Row], **changes: object) -> list[Row]:
    """The topic with its first record delivered once more in the end."""
    again = records[0]._replace(offset=records[-1].offset + 2, **changes)
    return [*records, again]


def test_what_is_right_is_let_pass() -> None:
    expected = reference()
    assert len(expected.kept[ALERTS]) > 100
    assert len(expected.kept[DEAD_LETTERS]) > 2
    assert check({0: observed_of(expected)}, {0: expected}) == []


def test_floats_may_differ_in_their_last_digits_only() -> None:
    user, stored = next((k, v) for k, v in reference().table.items() if k != CLOCK_KEY)
    for deviation, found in ((1e-7, set[str]()), (1e-3, {"different"})):
        state = decode_state(stored)
        state.risk += deviation
        observed = observed_of(reference())
        observed.table[user] = encode_state(state)
        assert kinds(observed) == found


def worker_that_skips(offset: int) -> Expected:
    return expect_partition(ENVIRONMENT, 0, 1, without(rows(), offset))


def offset_of_an_event() -> int:
    """A purchase in the middle, that no duplicate makes up for."""
    for row in rows()[700:]:
        if b'"purchase"' in (row.value or b"") and sum(other.value == row.value for other in rows()) == 1:
            return row.offset
    raise AssertionError("no purchase among the records")


def test_a_lost_event() -> None:
    lost = worker_that_skips(offset_of_an_event())
    assert "lost" in kinds(observed_of(lost))


def test_an_event_applied_twice() -> None:
    user = rows()[offset_of_an_event()].key
    assert user is not None
    state = decode_state(reference().table[user])
    running = np.frombuffer(state.running).copy()
    running[COLUMN["events"]] += 1
    state.running = running.tobytes()
    observed = observed_of(reference())
    observed.table[user] = encode_state(state)
    assert kinds(observed) == {"doubled"}


def test_a_state_that_is_gone_or_too_many() -> None:
    user = next(key for key in reference().table if key != CLOCK_KEY)
    gone, more = observed_of(reference()), observed_of(reference())
    more.table[b"stranger"] = gone.table.pop(user)
    assert kinds(gone) == {"lost"}
    assert kinds(more) == {"different"}
    torn = observed_of(reference())
    torn.table[user] = torn.table[user][:20]
    assert kinds(torn) == {"lost"}


@pytest.mark.parametrize("topic", KEPT)
def test_a_record_delivered_twice(topic: str) -> None:
    observed = observed_of(reference())
    observed.kept[topic] = repeated(observed.kept[topic])
    assert kinds(observed) == {"repeated_identical"}


def test_an_alert_delivered_twice_with_another_content() -> None:
    observed = observed_of(reference())
    first = observed.kept[ALERTS][0].value or b""
    observed.kept[ALERTS] = repeated(observed.kept[ALERTS], value=first.replace(b'"time":"20', b'"time":"21'))
    assert kinds(observed) == {"repeated_different"}


@pytest.mark.parametrize(
    ("topic", "kind"), [(ALERTS, "missing_alert"), (DECISIONS, "lost"), (DEAD_LETTERS, "lost")]
)
def test_a_record_that_is_missing(topic: str, kind: str) -> None:
    observed = observed_of(reference())
    del observed.kept[topic][-1]
    findings = check({0: observed}, {0: reference()})
    assert [finding.kind for finding in findings] == [kind]
    assert findings[0].cause == reference().kept[topic][-1].cause


def test_an_alert_that_must_not_be() -> None:
    observed = observed_of(reference())
    last = observed.kept[ALERTS][-1]
    value = (last.value or b"").replace(b'"id":"', b'"id":"0')
    observed.kept[ALERTS].append(last._replace(offset=last.offset + 2, value=value))
    assert kinds(observed) == {"false_alert"}


def test_an_alert_of_another_content_or_at_another_place() -> None:
    other, moved = observed_of(reference()), observed_of(reference())
    alert = other.kept[ALERTS][0]
    other.kept[ALERTS][0] = alert._replace(value=(alert.value or b"").replace(b'"risk":', b'"risky":'))
    moved.kept[ALERTS].append(moved.kept[ALERTS].pop(0))
    assert kinds(other) == kinds(moved) == {"different"}


def test_scores_clock_and_counts() -> None:
    score, clock, count = (observed_of(reference()) for _ in range(3))
    score.scores.popitem()
    clock.table[CLOCK_KEY] = encode_record(0, None)
    count.said = count.said.replace('"records":', '"records":1')
    assert kinds(score) == kinds(clock) == kinds(count) == {"different"}


def test_offsets_at_the_end() -> None:
    behind, ahead = observed_of(reference()), observed_of(reference())
    behind.committed -= 1
    ahead.committed += 1
    assert kinds(behind) == {"unfinished"}
    assert kinds(ahead) == {"offset_ahead"}


def test_an_offset_that_was_ahead_of_its_work_for_a_while() -> None:
    observed, effects = observed_of(reference()), reference().kept[ALERTS]
    cause = effects[40].cause
    whole = {(topic, 0): observed.kept[topic][-1].offset + 1 for topic in KEPT}
    seen = Ends(10.0 + VISIBLE_WITHIN_S, {**whole, (ALERTS, 0): observed.kept[ALERTS][40].offset})

    def judged(committed: int) -> list[Finding]:
        samples = [Sample(10.0, 0, {0: committed})]
        return list(check_samples("", samples, [seen], {0: observed}, {0: reference()}, {}))

    assert judged(cause) == []
    assert [finding.kind for finding in judged(cause + 1)] == ["offset_ahead"]
    assert judged(cause + 1)[0].cause == cause


def test_the_reference_takes_another_model_up_where_it_is_told() -> None:
    exchanged = expect_partition(ENVIRONMENT, 0, 1, rows(), [Exchange({0: 900}, DEMO_BUNDLE)])
    assert exchanged.kept == reference().kept
    assert exchanged.table == reference().table
    assert exchanged.counters == reference().counters


def test_the_load_is_the_same_for_the_same_seed() -> None:
    one, same, other = (list(islice(Shoppers(seed, users=60).stream(), 500)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
