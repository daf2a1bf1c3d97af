"""The judge of live mode can fail: what was tampered with is named for what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS, SCORES
from streamer.inference.bundle import load_bundle
from streamer.policy.file import load_policy
from streamer.settings.loading import load_settings
from streamer.worker.run import build_stage
from streamer.worker.stage.partition.partition_record import CLOCK_KEY
from streamer.worker.stage.protocol import Message, Record
from tests.bundles import DEMO_BUNDLE
from tests.faults.checker import Observed
from tests.faults.live import POLICY
from tests.faults.live_checker import alerts_of, check_live, claims_of
from tests.faults.live_reference import LiveExpected, expect_live_partition
from tests.faults.live_shoppers import LiveShoppers
from tests.faults.progress import Sample
from tests.faults.reading import Row

EDGES = load_policy(None, load_bundle(DEMO_BUNDLE, "cpu", "fp32").manifest, 0.0).edges
LATER_MS = 30_000


class World(NamedTuple):
    """A partition as a worker without faults leaves it, and what must be there."""

    observed: Observed
    expected: LiveExpected


@cache
def world() -> World:
    with TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(POLICY)
        environment = {
            "STREAMER_BUNDLE": str(DEMO_BUNDLE),
            "STREAMER_MODE": "live",
            "STREAMER_DISORDER_S": "0",
        }
        environment["STREAMER_POLICY"] = str(policy)
        shoppers = LiveShoppers(3, environment, (-20.0, 20.0), active=25, quiet=40)
        sent = [*shoppers.history(), *islice(shoppers.records(), 300)]
        rows = [Row(n, s.timestamp_ms, s.key, s.value, s.headers) for n, s in enumerate(sent)]
        end_ms = rows[-1].timestamp_ms + LATER_MS
        observed = lived(environment, rows, end_ms)
        claims = claims_of(observed.kept[ALERTS])
        return World(observed, expect_live_partition(environment, 0, 1, rows, claims, (end_ms, end_ms)))


def lived(environment: dict[str, str], rows: list[Row], end_ms: int) -> Observed:
    """What a worker makes that takes each record at once and looks at its clock in the end."""
    settings = load_settings(environment=environment)
    stage = build_stage(settings, load_bundle(DEMO_BUNDLE, "cpu", "fp32"), 1)
    stage.open(0, ())
    observed = Observed({ALERTS: [], DECISIONS: [], DEAD_LETTERS: []}, {}, {}, len(rows), "", len(rows))

    def keep(message: Message, at_ms: int) -> None:
        if message.topic == SCORES:
            assert message.key is not None
            assert message.value is not None
            observed.scores[message.key] = message.value
        else:
            kept = observed.kept[message.topic]
            kept.append(Row(len(kept), at_ms, message.key, message.value, message.headers))

    batches = [([Record(r.offset, r.timestamp_ms, r.key, r.value, r.headers)], r.timestamp_ms) for r in rows]
    # Twice: what was found late is taken up by the batch after.
    for records, now_ms in [*batches, ([], end_ms), ([], end_ms)]:
        outcome = stage.process(0, observed.table.get, records, now_ms)
        observed.table.update({key: value for key, value in outcome.state.items() if value is not None})
        for message in outcome.messages:
            keep(message, now_ms)
    return replace(observed, said=stage.status(0, 0))


def copy() -> Observed:
    """The world's topics, to be tampered with."""
    right = world().observed
    kept = {topic: list(rows) for topic, rows in right.kept.items()}
    return replace(right, kept=kept, scores=dict(right.scores), table=dict(right.table))


def kinds(observed: Observed, samples: list[Sample] | None = None) -> set[str]:
    return {f.kind for f in check_live(0, observed, world().expected, samples or [], EDGES)}


def test_what_is_right_is_let_pass() -> None:
    observed, expected = world()
    assert len(observed.kept[ALERTS]) > 30
    assert any(band is not None for band in expected.bands[0].values())
    assert list(check_live(0, observed, expected, [], EDGES)) == []


def test_an_alert_delivered_twice() -> None:
    same, different = copy(), copy()
    first = same.kept[ALERTS][0]
    same.kept[ALERTS].append(first)
    different.kept[ALERTS].append(
        first._replace(value=(first.value or b"").replace(b'"drivers":[', b'"drivers":[ '))
    )
    assert kinds(same) == {"repeated_identical"}
    assert kinds(different) == {"repeated_different"}


def open_in_the_end() -> int:
    """Index of the raise of an alert that is never resolved."""
    alerts = [alert for _, alert in alerts_of(world().observed.kept[ALERTS])]
    for index, alert in enumerate(alerts):
        revisions = [other for other in alerts if other.data.alert_id == alert.data.alert_id]
        if len(revisions) == 1 and alert.data.status == "open":
            return index
    raise AssertionError("no alert stays open")


def test_an_alert_that_is_missing() -> None:
    observed = copy()
    del observed.kept[ALERTS][open_in_the_end()]
    assert "missing_alert" in kinds(observed)


def test_a_revision_that_is_missing() -> None:
    observed = copy()
    alerts = alerts_of(observed.kept[ALERTS])
    gap = next(index for index, (_, alert) in enumerate(alerts) if alert.data.revision > 1)
    first = next(i for i, (_, a) in enumerate(alerts) if a.data.alert_id == alerts[gap][1].data.alert_id)
    del observed.kept[ALERTS][first]
    assert "missing_alert" in kinds(observed)


def test_an_alert_that_is_not_true() -> None:
    observed = copy()
    row, alert = alerts_of(observed.kept[ALERTS])[open_in_the_end()]
    strange = msgspec.structs.replace(alert.data, alert_id="strange", user_id="a1")
    value = msgspec.json.encode(msgspec.structs.replace(alert, id="strange.1", subject="a1", data=strange))
    observed.kept[ALERTS].append(row._replace(value=value))
    assert "false_alert" in kinds(observed)


def test_a_raise_that_a_consumed_event_refutes() -> None:
    samples: list[Sample] = []
    for event in world().expected.events:
        at_ms = max(event.at_ms, samples[-1].at_ms if samples else 0)
        samples.append(Sample(0.0, at_ms, {0: event.offset + 1}))
    observed = copy()
    assert kinds(observed, samples) == set()
    for index, (row, alert) in enumerate(alerts_of(observed.kept[ALERTS])):
        offset = alert.data.evidence.offset
        newer = [e for e in world().expected.events if e.user_id == alert.subject and e.offset > offset]
        if alert.type == "churn.alert.raised.v1" and newer:
            # Written after the event that refutes it was committed.
            observed.kept[ALERTS][index] = row._replace(timestamp_ms=newer[0].at_ms + 3_600_000)
            break
    assert kinds(observed, samples) == {"false_alert"}


def test_states_and_counts() -> None:
    gone, more, offset, counts = (copy() for _ in range(4))
    user = next(key for key in gone.table if key != CLOCK_KEY)
    more.table[b"stranger"] = gone.table.pop(user)
    offset.committed -= 1
    counts.said = counts.said.replace('"records":', '"records":1')
    assert kinds(gone) == {"lost"}
    assert kinds(more) == {"different"}
    assert kinds(offset) == {"unfinished"}
    assert kinds(counts) == {"different"}
