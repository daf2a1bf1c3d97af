"""The judge of a trial in live mode, where wall time decides, so that two runs never do the same.

It proves what holds whatever the moment: every event is in the state once; each revision of an alert came
once and none is missing in between; no raise was refuted by what had been consumed; and when all is consumed,
the alerts that are open are those that are true.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.alert import BANDS, Alert
from schemas.decision import DecisionMessage
from schemas.errors import StateError
from schemas.score import Score
from schemas.timestamps import parse_timestamp
from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS
from streamer.core.history.aggregates import COLUMN
from streamer.core.user_state import decode_state
from streamer.worker.stage.partition.partition_status import decode_status
from tests.faults.checker import Observed
from tests.faults.close import is_close, state_fields
from tests.faults.deliveries import check_dead_letters
from tests.faults.findings import Finding
from tests.faults.live_reference import Claim, LiveExpected, Seen
from tests.faults.progress import Sample
from tests.faults.reading import Row

SLACK = 0.05
"""A share: between two steps of the silence grid what alerts go by is a line drawn between them."""

BY_EVENTS = ("ring", "base", "running", "time_before_ring", "placed", "hidden", "model", "offset")
"""Parts of a user's state that follow from the user's events alone, whatever was decided when."""

UPWARDS = ("churn.alert.raised.v1", "churn.alert.escalated.v1")


def alerts_of(rows: Sequence[Row]) -> list[tuple[Row, Alert]]:
    """The alerts of a partition, in order."""
    return [(row, msgspec.json.decode(row.value or b"", type=Alert)) for row in rows]


def claims_of(rows: Sequence[Row]) -> list[Claim]:
    """What the raises and escalations of a partition claim."""
    return [_claim(alert) for _, alert in alerts_of(rows) if alert.type in UPWARDS]


def check_live(
    partition: int,
    observed: Observed,
    expected: LiveExpected,
    samples: Sequence[Sample],
    edges: Sequence[float],
) -> Iterator[Finding]:
    """All that is wrong with one partition. ``edges``: the policy's bands, from the lowest."""
    if observed.committed != observed.end:
        kind = "offset_ahead" if observed.committed > observed.end else "unfinished"
        yield Finding(kind, partition, f"{observed.committed} is committed of {observed.end} records")
    alerts = alerts_of(observed.kept[ALERTS])
    yield from _check_revisions(partition, alerts)
    yield from _check_decisions(partition, alerts, observed.kept[DECISIONS])
    yield from _check_claims(partition, alerts, expected, edges)
    yield from _check_not_refuted(partition, alerts, expected.events, samples)
    yield from _check_open(partition, alerts, observed, expected, edges)
    yield from _check_states(partition, observed, expected)
    yield from check_dead_letters(partition, observed.kept[DEAD_LETTERS], expected.dead_letters)
    yield from _check_counts(partition, observed, expected)


def _check_revisions(partition: int, alerts: Sequence[tuple[Row, Alert]]) -> Iterator[Finding]:
    """Revisions from 1 without gaps, each once, and one open alert a user."""
    first: dict[str, Row] = {}
    newest: dict[str, int] = {}
    open_of: dict[str, str] = {}
    for row, alert in alerts:
        if alert.id in first:
            same = first[alert.id].value == row.value
            kind = "repeated_identical" if same else "repeated_different"
            yield Finding(kind, partition, f"alert {alert.id}", at_ms=row.timestamp_ms)
            continue
        first[alert.id] = row
        data = alert.data
        if data.revision != newest.get(data.alert_id, 0) + 1:
            what = f"alert {data.alert_id}: revision {data.revision} follows {newest.get(data.alert_id, 0)}"
            yield Finding("missing_alert", partition, what, at_ms=row.timestamp_ms)
        newest[data.alert_id] = data.revision
        if open_of.setdefault(data.user_id, data.alert_id) != data.alert_id:
            what = f"alert {data.alert_id} while {open_of[data.user_id]} of {data.user_id} is open"
            yield Finding("false_alert", partition, what, at_ms=row.timestamp_ms)
        if data.status == "resolved":
            open_of.pop(data.user_id, None)


def _check_decisions(
    partition: int, alerts: Sequence[tuple[Row, Alert]], rows: Sequence[Row]
) -> Iterator[Finding]:
    """An alert and the decision to send it are of one transaction: where one is, the other is."""
    decided = [msgspec.json.decode(row.value or b"", type=DecisionMessage) for row in rows]
    sent = sorted(f"{each.alert_id}.{each.revision}" for each in decided if each.action == "sent")
    delivered = sorted(alert.id for _, alert in alerts)
    for name in sorted(set(sent) - set(delivered)):
        yield Finding("missing_alert", partition, f"alert {name} was decided and is not there")
    for name in sorted(set(delivered) - set(sent)):
        yield Finding("false_alert", partition, f"alert {name} was not decided")
    if len(sent) != len(set(sent)):
        yield Finding("repeated_identical", partition, "decisions to send alerts came more than once")


def _check_claims(
    partition: int, alerts: Sequence[tuple[Row, Alert]], expected: LiveExpected, edges: Sequence[float]
) -> Iterator[Finding]:
    """A raise or escalation was true at its moment, given what it says it knew."""
    for row, alert in alerts:
        if alert.type not in UPWARDS:
            continue
        signal = expected.signals.get(_claim(alert))
        edge = edges[BANDS.index(alert.data.band)]
        if signal is None or signal < edge * (1.0 - SLACK):
            what = f"alert {alert.id} of {alert.subject} is {alert.data.band}, what it goes by was {signal}"
            yield Finding("false_alert", partition, what, at_ms=row.timestamp_ms)


def _check_not_refuted(
    partition: int, alerts: Sequence[tuple[Row, Alert]], events: Sequence[Seen], samples: Sequence[Sample]
) -> Iterator[Finding]:
    """No raise or escalation was written after a newer event of its user had been committed."""
    by_user: dict[str, list[Seen]] = defaultdict(list)
    for event in events:
        by_user[event.user_id].append(event)
    committed = [sample.committed[partition] for sample in samples]
    for row, alert in alerts:
        if alert.type not in UPWARDS:
            continue
        last_ms, offset = parse_timestamp(alert.data.last_event_at), alert.data.evidence.offset
        for event in by_user[alert.subject]:
            seen_by = bisect_left(committed, event.offset + 1)
            refuted = event.offset > offset and event.at_ms > last_ms and seen_by < len(samples)
            if refuted and samples[seen_by].at_ms < row.timestamp_ms:
                what = (
                    f"alert {alert.id} of {alert.subject}, whose event at offset {event.offset} was consumed"
                )
                yield Finding("false_alert", partition, what, at_ms=row.timestamp_ms)
                break


def _check_open(
    partition: int,
    alerts: Sequence[tuple[Row, Alert]],
    observed: Observed,
    expected: LiveExpected,
    edges: Sequence[float],
) -> Iterator[Finding]:
    """The alerts that are open in the end are those that are true; the scores say the same."""
    newest = {alert.subject: alert.data for alert in {alert.id: alert for _, alert in alerts}.values()}
    before, after = expected.bands
    for user in sorted(expected.table):
        wanted = after.get(user)
        if wanted != before.get(user):
            continue  # It changed while the workers were being stopped.
        # Whoever was in a band when the newest event came, and no more a moment later, may be seen either
        # way.
        level = sum(expected.now[user] >= edge for edge in edges)
        data = newest.get(user)
        found = data.band if data is not None and data.status == "open" else None
        if found not in (wanted, BANDS[level - 1] if level else None):
            kind = "missing_alert" if found is None else "false_alert"
            yield Finding(kind, partition, f"{user} has {found} open in the end, true is {wanted}")
        score = msgspec.json.decode(observed.scores.get(user.encode(), b"null"), type=Score | None)
        if score is None or score.band != found or (found and data and score.alert_id != data.alert_id):
            yield Finding(
                "different", partition, f"the score of {user} does not name the open alert: {score}"
            )


def _check_states(partition: int, observed: Observed, expected: LiveExpected) -> Iterator[Finding]:
    """Each user's events are in the state, once."""
    users = {key.decode(): value for key, value in observed.table.items() if not key.startswith(b"\xff")}
    for user in sorted(users.keys() | expected.table.keys()):
        if user not in expected.table:
            yield Finding("different", partition, f"{user} has a state and must have none")
            continue
        wanted = state_fields(decode_state(expected.table[user]))
        try:
            found = state_fields(decode_state(users[user]))
        except (KeyError, StateError) as error:
            yield Finding("lost", partition, f"{user} has no readable state: {error}")
            continue
        missing = _events(wanted) - _events(found)
        if missing:
            kind = "lost" if missing > 0 else "doubled"
            what = f"the state of {user} counts {_events(found)} events, not {_events(wanted)}"
            yield Finding(kind, partition, what, times=abs(missing))
            continue
        differing = [name for name in BY_EVENTS if not is_close(found[name], wanted[name])]
        score = msgspec.json.decode(observed.scores.get(user.encode(), b"null"), type=Score | None)
        if score is None or score.evidence.offset != wanted["offset"]:
            differing.append("evidence of the score")
        if differing:
            yield Finding("different", partition, f"the state of {user} differs in {', '.join(differing)}")


def _check_counts(partition: int, observed: Observed, expected: LiveExpected) -> Iterator[Finding]:
    status = decode_status(observed.said)
    found = None if status is None else status.counters
    for name in ("records", "events", "skipped", "dead_letters"):
        wanted = getattr(expected.counters, name)
        if found is None or getattr(found, name) != wanted:
            yield Finding(
                "different", partition, f"{name}: counted {found and getattr(found, name)}, not {wanted}"
            )


def _claim(alert: Alert) -> Claim:
    return Claim(alert.subject, alert.data.evidence.offset, parse_timestamp(alert.time))


def _events(fields: Mapping[str, Any]) -> int:
    return int(fields["running"][COLUMN["events"]])
