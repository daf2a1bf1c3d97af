"""Histories against the plain way: a dictionary of lists, sorted one by one."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from models.data.histories import collect
from schemas.event import EVENT_TYPES, Event
from streamer.core.history.token import TOKEN_BYTES, hash_text, place, tokenise


def shuffled_events(seed: int) -> list[Event]:
    """Few ids and times, so that many repeat: with one id other times, types and values as well."""
    drawn = random.Random(seed)
    return [
        Event(
            f"e{drawn.randrange(40)}",
            f"u{drawn.randrange(12)}",
            drawn.choice(EVENT_TYPES),
            1_500_000_000_000 + drawn.randrange(6) * 1_000,
            value=drawn.choice([None, 1.0, -2.5]),
        )
        for _ in range(300)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_of_events_with_one_id_the_first_stays(seed: int) -> None:
    events = shuffled_events(seed)
    first: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
    for event in events:
        first[event.user_id].setdefault(hash_text(event.event_id), tokenise(event))
    expected = [sorted(first[user].values(), key=lambda token: place(token, 0)) for user in sorted(first)]
    histories = collect(iter(events))
    assert histories.tokens.tobytes() == b"".join(token for history in expected for token in history)
    assert (histories.starts[1:] - histories.starts[:-1]).tolist() == [len(history) for history in expected]
    assert not histories.tokens.flags.writeable


def test_no_events_are_no_users() -> None:
    for histories in (collect([]), collect(shuffled_events(1), until_ms=0)):
        assert histories.users == 0
        assert histories.starts.tolist() == [0]
        assert histories.tokens.tobytes() == b""
        assert histories.tokens.dtype.itemsize == TOKEN_BYTES
