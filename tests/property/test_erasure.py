"""After an erasure nothing is left of its user, whatever batches and crashes, and nobody else is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Rules
from streamer.core.erasure import Erasure
from streamer.core.history.token import place
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel
from tests.property.test_partition import POLICY, START_MS, history, steps

UNLIMITED = msgspec.structs.replace(POLICY, daily_budget=None)
BACK_MS = (-3600_000, 0, 0, DAY_MS, 30 * DAY_MS)


class Asked(NamedTuple):
    """``user_id`` asks to be forgotten once ``after`` events have come, with all up to ``back_ms`` before."""

    after: int
    user_id: str
    back_ms: int


asked = st.builds(Asked, st.integers(0, 40), st.sampled_from("abc"), st.sampled_from(BACK_MS))
histories = st.lists(steps, min_size=5, max_size=40).map(history).map(partition_events)


def worker(policy: Policy) -> PartitionDriver:
    return PartitionDriver(Rules(policy, any_event_returns=False, partitions=1), FixedModel())


def erasures(requests: Iterable[Asked], events: Sequence[PartitionEvent]) -> list[tuple[int, Erasure]]:
    """The requests in their order, each with how many events come before it."""
    placed: list[tuple[int, Erasure]] = []
    for request in sorted(requests, key=lambda request: request.after):
        after = min(request.after, len(events))
        now_ms = max((event.record_ms for event in events[:after]), default=START_MS)
        placed.append((after, Erasure(request.user_id, now_ms - request.back_ms)))
    return placed


def run_through(
    policy: Policy, events: Sequence[PartitionEvent], requests: Sequence[tuple[int, Erasure]], size: int = 99
) -> PartitionDriver:
    """Everything through one worker, at most ``size`` events a batch; a small one crashes in each batch."""
    run, at, crash = worker(policy), 0, size < 3
    for after, erasure in (*requests, (len(events), None)):
        while at < after:
            run.process(events[at : min(at + size, after)], crash=crash)
            at = min(at + size, after)
        if erasure is not None:
            run.erase([erasure], crash=crash)
    return run


@given(events=histories, requests=st.lists(asked, min_size=1, max_size=4), size=st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_any_split_into_batches_gives_the_same(
    events: list[PartitionEvent], requests: list[Asked], size: int
) -> None:
    placed = erasures(requests, events)
    whole, split = run_through(POLICY, events, placed), run_through(POLICY, events, placed, size)
    assert split.decisions == whole.decisions
    assert (split.table, split.marks, split.clock_ms) == (whole.table, whole.marks, whole.clock_ms)


@given(events=histories, user_id=st.sampled_from("abc"), after=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_nothing_is_left_of_an_erased_user(events: list[PartitionEvent], user_id: str, after: int) -> None:
    before = run_through(POLICY, events[:after], [])
    known = len(before.decisions)
    newest_ms = max(event.record_ms for event in events)
    said = before.erase([Erasure(user_id, newest_ms)])
    assert len(said) <= 1
    assert all((d.action, d.user_id, d.reason) == ("sent", user_id, "erased") for d in said)
    assert user_id not in before.table
    assert not any(user_id.encode() == key for key in before.marks)
    assert not names(before.partition, user_id)
    # Not even what is delivered again, or comes late, or time alone brings anything up.
    before.process([*events, *events[:after]])
    before.process([], newest_ms + 500 * DAY_MS)
    assert not any(decision.user_id == user_id for decision in before.decisions[known + len(said) :])
    assert not names(before.partition, user_id)


@given(events=histories, requests=st.lists(asked, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_nobody_else_is_touched(events: list[PartitionEvent], requests: list[Asked]) -> None:
    placed = [(after, erasure._replace(user_id="a")) for after, erasure in erasures(requests, events)]
    # Events that are refused are as if they were never sent, so also for the clock.
    heard = [event for number, event in enumerate(events) if not is_refused(number, event, placed)]
    erased, plain = run_through(UNLIMITED, events, placed), run_through(UNLIMITED, heard, [])
    assert of_others(erased.decisions) == of_others(plain.decisions)
    assert {user: state for user, state in erased.table.items() if user != "a"} == {
        user: state for user, state in plain.table.items() if user != "a"
    }


def is_refused(number: int, event: PartitionEvent, placed: Iterable[tuple[int, Erasure]]) -> bool:
    event_ms, _ = place(event.token, 0)
    return any(
        number >= after and event.user_id == erasure.user_id and event_ms <= erasure.requested_ms
        for after, erasure in placed
    )


def of_others(decisions: Iterable[Decision]) -> list[Decision]:
    return [decision for decision in decisions if decision.user_id != "a"]


def names(held: object, user_id: str) -> bool:
    """Whether ``user_id`` is anywhere in an object's own data."""
    if isinstance(held, str):
        return held == user_id
    if isinstance(held, dict):
        return any(names(part, user_id) for item in held.items() for part in item)
    if isinstance(held, list | tuple | set | frozenset):
        return any(names(part, user_id) for part in held)
    is_ours = type(held).__module__.startswith("streamer.core.") and hasattr(held, "__dict__")
    return is_ours and names(vars(held), user_id)
