"""Decoded user states kept between batches, so that a busy user is not read from the store each time."""

from __future__ import annotations

from collections import OrderedDict

from streamer.core.user_state import UserState


class StateCache:
    """The most recently used states of one partition; at most ``capacity`` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # A plain dict finds its first key past all those that were deleted before it.
        self._states: OrderedDict[str, UserState] = OrderedDict()

    def get(self, user_id: str) -> UserState | None:
        """The cached state, which counts as used now."""
        state = self._states.get(user_id)
        if state is not None:
            self._states.move_to_end(user_id)
        return state

    def put(self, user_id: str, state: UserState | None) -> None:
        """Keep a user's newest state; ``None`` forgets the user."""
        if state is None:
            self._states.pop(user_id, None)
            return
        if self._states.get(user_id) is state:
            return  # It was moved when it was read.
        self._states[user_id] = state
        self._states.move_to_end(user_id)
        if len(self._states) > self._capacity:
            self._states.popitem(last=False)
