"""The judge of a campaign in event-time mode: what the topics hold beside what they must hold.

It knows the contract and nothing of the worker: input and outputs as another client reads them, and the
reference made of the input alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from schemas.errors import StateError
from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS
from streamer.core.history.aggregates_row import AggregatesRow
from streamer.core.user_state import decode_state
from streamer.worker.stage.partition.counters import bounded
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, decode_record
from streamer.worker.stage.partition.partition_status import decode_status
from tests.faults.close import messages_close, states_close
from tests.faults.deliveries import check_alerts, check_dead_letters, check_decisions
from tests.faults.findings import Finding
from tests.faults.reading import Row
from tests.faults.reference import Expected


@dataclass
class Observed:
    """One partition as a read_committed reader finds it. ``kept``: by topic of the contract, in order.

    ``table``: what the changelog says. ``committed``: the group's offset, and ``said`` what is beside it.
    ``end``: the end of the input.
    """

    kept: dict[str, list[Row]]
    scores: dict[bytes, bytes]
    table: dict[bytes, bytes]
    committed: int
    said: str
    end: int


def check(
    observed: Mapping[int, Observed], expected: Mapping[int, Expected], uncounted: Collection[str] = ()
) -> list[Finding]:
    """All that is wrong when the work is done, partition by partition. ``uncounted``: counters left out."""
    return [
        finding
        for partition in sorted(expected)
        for finding in _check_partition(partition, observed[partition], expected[partition], uncounted)
    ]


def _check_partition(
    partition: int, observed: Observed, expected: Expected, uncounted: Collection[str]
) -> Iterator[Finding]:
    if observed.committed > observed.end:
        yield Finding(
            "offset_ahead", partition, f"{observed.committed} is committed, the input ends at {observed.end}"
        )
    elif observed.committed < observed.end:
        yield Finding("unfinished", partition, f"{observed.end - observed.committed} records are left")
    yield from check_alerts(partition, observed.kept[ALERTS], expected.kept[ALERTS])
    yield from check_decisions(partition, observed.kept[DECISIONS], expected.kept[DECISIONS])
    yield from check_dead_letters(partition, observed.kept[DEAD_LETTERS], expected.kept[DEAD_LETTERS])
    yield from _check_table(partition, observed.table, expected.table)
    yield from _check_scores(partition, observed.scores, expected.scores)
    yield from _check_counters(partition, observed, expected, uncounted)


def _check_table(
    partition: int, observed: dict[bytes, bytes], expected: dict[bytes, bytes]
) -> Iterator[Finding]:
    if _clock_ms(observed) != _clock_ms(expected):
        yield Finding("different", partition, "the partition's clock is not the reference's")
    for key in sorted(observed.keys() | expected.keys()):
        if key.startswith(b"\xff"):
            continue  # Not a user's: the partition's own record, or the mark of one who was erased.
        found, wanted = observed.get(key), expected.get(key)
        if found is None or wanted is None or not _states_close(found, wanted):
            yield _state_finding(partition, key.decode(errors="replace"), found, wanted)


def _clock_ms(table: dict[bytes, bytes]) -> int | None:
    stored = table.get(CLOCK_KEY)
    return None if stored is None else decode_record(stored).clock_ms


def _states_close(found: bytes, wanted: bytes) -> bool:
    try:
        return states_close(found, wanted)
    except StateError:
        return False


def _state_finding(partition: int, user: str, found: bytes | None, wanted: bytes | None) -> Finding:
    """A user's state is not the reference's: by the events that it counts, or by something else."""
    if wanted is None:
        return Finding("different", partition, f"{user} has a state and must have none")
    if found is None:
        gone = _events(wanted)
        return Finding("lost", partition, f"{user} has no state; {gone} events are gone", times=gone)
    missing = _events(wanted) - _events(found)
    if missing:
        kind, word = ("lost", "lacks") if missing > 0 else ("doubled", "counts twice")
        what = f"the state of {user} {word} {abs(missing)} of {_events(wanted)} events"
        return Finding(kind, partition, what, times=abs(missing))
    return Finding(
        "different", partition, f"the state of {user} differs in {', '.join(_differing(found, wanted))}"
    )


def _events(stored: bytes) -> int:
    try:
        return int(AggregatesRow.unpacked(decode_state(stored).running).events)
    except StateError:
        return 0


def _differing(found: bytes, wanted: bytes) -> list[str]:
    one, other = decode_state(found), decode_state(wanted)
    return [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]


def _check_scores(
    partition: int, observed: dict[bytes, bytes], expected: dict[bytes, bytes]
) -> Iterator[Finding]:
    for key in sorted(observed.keys() | expected.keys()):
        found, wanted = observed.get(key), expected.get(key)
        user = key.decode(errors="replace")
        if found is None or wanted is None:
            said = "has no score" if found is None else "has a score and must have none"
            yield Finding("different", partition, f"{user} {said}")
        elif not messages_close(found, wanted):
            yield Finding("different", partition, f"the score of {user} is {found!r}, not {wanted!r}")


def _check_counters(
    partition: int, observed: Observed, expected: Expected, uncounted: Collection[str]
) -> Iterator[Finding]:
    try:
        status = decode_status(observed.said)
    except StateError as error:
        yield Finding("different", partition, f"the status beside the offset cannot be read: {error}")
        return
    counters, wanted = None if status is None else status.counters, bounded(expected.counters)
    if counters is not None:
        # The reference applies what comes of a user who was erased.
        counters.events += counters.skipped.pop("erased", 0)
    for name in wanted.__struct_fields__:
        if name not in uncounted and (counters is None or getattr(counters, name) != getattr(wanted, name)):
            yield Finding("different", partition, f"{name}: counted {counters}, not {wanted}")
