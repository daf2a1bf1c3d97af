"""Which events move the clock too far depends on the events alone, not on how they fall into batches."""

from __future__ import annotations

from itertools import cycle

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.testing import FixedModel, PartitionDriver, partition_events
from tests.property.test_partition import POLICY, START_MS

LONGEST_GAP_MS = 90 * DAY_MS
GAPS_MS = (
    0,
    3_600_000,
    20 * DAY_MS,
    LONGEST_GAP_MS,
    LONGEST_GAP_MS + 1,
    401 * DAY_MS,
    -3 * DAY_MS,
    -401 * DAY_MS,
)

Result = tuple[list[int], list[Decision], dict[str, bytes], int | None]


def applied(events: list[Event], sizes: list[int]) -> Result:
    arrivals = partition_events(events)
    run = PartitionDriver.of(POLICY, FixedModel(), longest_gap_ms=LONGEST_GAP_MS)
    refused: list[int] = []
    at, size_of_next = 0, cycle(sizes)
    while at < len(arrivals):
        size = next(size_of_next)
        batch = arrivals[at : at + size]
        jumps = run.partition.jumps(batch)
        refused += sorted(jumps)
        run.process([event for event in batch if event.offset not in jumps])
        at += size
    return refused, run.decisions, run.table, run.clock_ms


@given(
    gaps=st.lists(st.tuples(st.sampled_from(GAPS_MS), st.sampled_from("abc")), min_size=1, max_size=40),
    sizes=st.lists(st.integers(1, 7), min_size=1),
)
@settings(max_examples=200, deadline=None)
def test_any_split_into_batches_refuses_the_same(gaps: list[tuple[int, str]], sizes: list[int]) -> None:
    moment_ms, events = START_MS + 4_000 * DAY_MS, list[Event]()
    for number, (gap_ms, user_id) in enumerate(gaps):
        moment_ms += gap_ms
        events.append(Event(f"e{number}", user_id, "view", moment_ms))
    whole = applied(events, [len(events)])
    assert applied(events, sizes) == whole
    clock_ms = events[0].timestamp
    for offset, event in enumerate(events):
        assert (offset in whole[0]) == (event.timestamp > clock_ms + LONGEST_GAP_MS)
        if offset not in whole[0]:
            clock_ms = max(clock_ms, event.timestamp)
    assert whole[3] == clock_ms
