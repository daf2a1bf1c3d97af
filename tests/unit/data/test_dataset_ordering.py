"""Events sorted through temporary files are those sorted in memory."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from schemas.event import Event, Item
from streamer.data.datasets import ordering
from streamer.data.datasets.ordering import in_order


def event(number: int, time: int) -> Event:
    return Event(
        f"e{number}", "u", "view", time, (Item("i", price=1.5),), text="a\nb", session_id=f"s{number}"
    )


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 997])
def test_many_runs_give_one_order(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "EVENTS_AT_ONCE", 10)
    events = [event(number, number // 3) for number in range(count)]
    shuffled = random.Random(1).sample(events, count)
    skipped: Counter[str] = Counter()
    assert list(in_order(shuffled, skipped)) == sorted(events, key=lambda e: (e.timestamp, e.event_id))
    assert not skipped


def test_repeats_far_apart_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "EVENTS_AT_ONCE", 10)
    events = [event(number, number) for number in range(50)]
    skipped: Counter[str] = Counter()
    assert list(in_order([*events, *events], skipped)) == events
    assert skipped == {"repeated rows": 50}
