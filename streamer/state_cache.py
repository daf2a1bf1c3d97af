"""Decoded user states kept between batches, so that a busy user is not read from the store each time."""

from __future__ import annotations

from streamer.core.user_state import UserState


class StateCache:
    """The most recently used states of one partition; at most ``capacity`` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._states: dict[str, UserState] = {}

    def get(self, user_id: str) -> UserState | None:
        """The cached state, which counts as used now."""
        state = self._states.pop(user_id, None)
        if state is not None:
            self._states[user_id] = state
        return state

    def put(self, user_id: str, state: UserState | None) -> None:
        """Keep a user's newest state; ``None`` forgets the user."""
        self._states.pop(user_id, None)
        if state is not None:
            self._states[user_id] = state
            if len(self._states) > self._capacity:
                del self._states[next(iter(self._states))]
