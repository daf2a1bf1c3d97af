"""Deadlines come due in their order, each once, however often they were moved."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.timing.deadlines import Deadlines

moves = st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 30))
"""A user's new deadline, ``None`` to drop it."""


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(moves, max_size=6), st.integers(0, 40)), max_size=12))
def test_the_same_as_looking_through_all_of_them(
    rounds: list[tuple[list[tuple[str, int | None]], int]],
) -> None:
    deadlines, expected = Deadlines(), dict[str, int]()
    for moved, until_ms in rounds:
        for user_id, due_ms in moved:
            if due_ms is None:
                deadlines.drop(user_id)
                expected.pop(user_id, None)
            else:
                deadlines.put(user_id, due_ms)
                expected[user_id] = due_ms
        due = sorted((at, user_id) for user_id, at in expected.items() if at <= until_ms)
        assert deadlines.take_due(until_ms) == [user_id for _, user_id in due]
        for _, user_id in due:
            del expected[user_id]
        assert len(deadlines) == len(expected)


def test_a_deadline_put_off_again_and_again_keeps_one_entry() -> None:
    deadlines = Deadlines()
    for due_ms in range(1_000):
        deadlines.put("a", due_ms)
    assert len(deadlines._heap) == 1
    assert deadlines.take_due(998) == []
    assert deadlines.take_due(999) == ["a"]
