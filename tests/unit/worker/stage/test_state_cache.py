"""The newest states stay, the longest unused go first."""

from __future__ import annotations

from streamer.core.user_state import UserState
from streamer.worker.stage.partition.state_cache import StateCache


def test_the_least_recently_used_gives_way() -> None:
    cache, states = StateCache(2), {user_id: UserState() for user_id in "abc"}
    cache.put("a", states["a"])
    cache.put("b", states["b"])
    assert cache.get("a") is states["a"]
    cache.put("c", states["c"])
    assert cache.get("b") is None
    assert cache.get("a") is states["a"]
    assert cache.get("c") is states["c"]


def test_a_forgotten_user_is_not_kept() -> None:
    cache = StateCache(2)
    cache.put("a", UserState())
    cache.put("a", None)
    cache.put("b", None)
    assert cache.get("a") is None
