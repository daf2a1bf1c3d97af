"""Users who asked to be forgotten: set apart from what the reference knows, and judged by themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import msgspec

from schemas.alert import Alert
from schemas.topics import ALERTS
from tests.faults.checker import Observed
from tests.faults.findings import Finding
from tests.faults.reading import Row
from tests.faults.reference import Effect, Expected


def others(rows: Sequence[Row], users: Collection[bytes]) -> list[Row]:
    """The records of all others."""
    return [row for row in rows if row.key not in users]


def observed_without(observed: Observed, users: Collection[bytes]) -> Observed:
    """What is there of all others."""
    kept = {topic: others(rows, users) for topic, rows in observed.kept.items()}
    scores = {user: score for user, score in observed.scores.items() if user not in users}
    table = {key: state for key, state in observed.table.items() if key not in users}
    return replace(observed, kept=kept, scores=scores, table=table)


def expected_without(expected: Expected, users: Collection[bytes]) -> Expected:
    """What must be there of all others."""
    kept = {
        topic: [effect for effect in effects if effect.key not in users]
        for topic, effects in expected.kept.items()
    }
    scores = {user: score for user, score in expected.scores.items() if user not in users}
    table = {key: state for key, state in expected.table.items() if key not in users}
    return replace(expected, kept=kept, scores=scores, table=table)


def check_erased(
    partition: int, users: Collection[bytes], observed: Observed, expected: Expected
) -> Iterator[Finding]:
    """Of those who were erased nothing is left but what was delivered, and the end of an open alert."""
    for user in sorted(users):
        name = user.decode()
        if user in observed.table:
            yield Finding("different", partition, f"{name} was erased and has a state")
        if user in observed.scores:
            yield Finding("different", partition, f"{name} was erased and has a score")
        rows = [row for row in observed.kept[ALERTS] if row.key == user]
        effects = [effect for effect in expected.kept[ALERTS] if effect.key == user]
        yield from _check_alerts(partition, name, rows, effects)


def _check_alerts(partition: int, name: str, rows: list[Row], effects: list[Effect]) -> Iterator[Finding]:
    """The reference's alerts up to some moment, then ``erased`` for one that was open."""
    alerts = [msgspec.json.decode(row.value or b"", type=Alert) for row in rows]
    told = [row.value for row, alert in zip(rows, alerts, strict=True) if alert.data.reason != "erased"]
    if told != [effect.value for effect in effects[: len(told)]]:
        yield Finding(
            "different", partition, f"the alerts of {name} before the erasure are not the reference's"
        )
    ends = [index for index, alert in enumerate(alerts) if alert.data.reason == "erased"]
    if ends and ends != [len(alerts) - 1]:
        yield Finding("false_alert", partition, f"{name} has alerts after the erasure")
    if alerts and alerts[-1].data.status != "resolved":
        yield Finding("missing_alert", partition, f"nobody was told that the alert of {name} is over")
