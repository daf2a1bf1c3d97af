"""Alerts, decisions and dead letters as delivered: each that must be there, once, and in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from schemas.dead_letter import SOURCE_OFFSET
from tests.faults.close import messages_close
from tests.faults.findings import Finding, FindingKind
from tests.faults.reading import Row
from tests.faults.reference import Effect

Message = Row | Effect


class _Named(msgspec.Struct):
    id: str


def alert_name(message: Message) -> str:
    """The CloudEvents id: alert id and revision."""
    return msgspec.json.decode(message.value or b"", type=_Named).id


def check_alerts(partition: int, rows: Sequence[Row], effects: Sequence[Effect]) -> Iterator[Finding]:
    """Each revision of each alert that the reference has, once; no other."""
    yield from _check_named(partition, rows, effects, alert_name, "alert", "missing_alert", "false_alert")


def check_dead_letters(partition: int, rows: Sequence[Row], effects: Sequence[Effect]) -> Iterator[Finding]:
    """Each record that cannot become an event, once; no other."""
    yield from _check_named(
        partition, rows, effects, _source_offset, "dead letter of offset", "lost", "different"
    )


def check_decisions(partition: int, rows: Sequence[Row], effects: Sequence[Effect]) -> Iterator[Finding]:
    """Every decision of the reference, as often as the reference has it; a decision has no id of its own."""
    left = Counter(effect.value for effect in effects)
    known = set(left)
    for row in rows:
        if left[row.value] > 0:
            left[row.value] -= 1
        elif row.value in known:
            yield Finding("repeated_identical", partition, f"decision {row.value!r}", at_ms=row.timestamp_ms)
        else:
            yield Finding("different", partition, f"decision {row.value!r}", at_ms=row.timestamp_ms)
    for effect in effects:
        if left[effect.value] > 0:
            left[effect.value] -= 1
            yield Finding("lost", partition, f"decision {effect.value!r}", cause=effect.cause)


def _check_named(
    partition: int,
    rows: Sequence[Row],
    effects: Sequence[Effect],
    name_of: Callable[[Message], str],
    what: str,
    missing: FindingKind,
    false: FindingKind,
) -> Iterator[Finding]:
    wanted = {name_of(effect): effect for effect in effects}
    found: dict[str, Row] = {}
    for row in rows:
        name = name_of(row)
        if (first := found.setdefault(name, row)) is not row:
            kind: FindingKind = "repeated_identical" if first.value == row.value else "repeated_different"
            yield Finding(kind, partition, f"{what} {name}", at_ms=row.timestamp_ms)
        elif name not in wanted:
            yield Finding(false, partition, f"{what} {name} must not be", at_ms=row.timestamp_ms)
        elif not _same(row, wanted[name], exact=what != "alert"):
            yield Finding(
                "different",
                partition,
                f"{what} {name} is {row.value!r}, not {wanted[name].value!r}",
                at_ms=row.timestamp_ms,
            )
    for name, effect in wanted.items():
        if name not in found:
            yield Finding(missing, partition, f"{what} {name}", cause=effect.cause)
    in_order = [name for name in wanted if name in found]
    if in_order != [name for name in found if name in wanted]:
        yield Finding(
            "different", partition, f"the order of the topic's records is not the reference's: {what}s"
        )


def _same(row: Row, effect: Effect, *, exact: bool) -> bool:
    """A dead letter holds the bytes as they came; an alert's floats may differ in their last digits."""
    if row.key != effect.key or row.headers != effect.headers:
        return False
    if exact or row.value is None or effect.value is None:
        return row.value == effect.value
    return messages_close(row.value, effect.value)


def _source_offset(message: Message) -> str:
    return (dict(message.headers)[SOURCE_OFFSET] or b"").decode()
