"""Who has which slot of the cache of keys and values; the least recently used gives way.

It is only a cache: what it lacks is rebuilt from a user's stored tokens, to the same bits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Entry:
    """A cached user; ``position`` and ``newest`` tell the last event in it.

    ``position``: how many events came before it. ``newest``: its packed time and event hash.
    """

    slot: int
    position: int
    newest: bytes


class Slots:
    """``users`` slots, numbered from 0."""

    def __init__(self, users: int) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._free = list(range(users - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, user_id: str) -> Entry | None:
        """The user's entry, which is then the most recently used."""
        entry = self._entries.get(user_id)
        if entry is not None:
            self._entries.move_to_end(user_id)
        return entry

    def claim(self, user_id: str) -> Entry:
        """A new entry for a user who has none, with whatever was in its slot before."""
        slot = self._free.pop() if self._free else self._entries.popitem(last=False)[1].slot
        entry = Entry(slot, -1, b"")
        self._entries[user_id] = entry
        return entry

    def evict(self, user_ids: Iterable[str]) -> list[int]:
        """Give up the entries of these users, of those who have one; returns their slots, the next in use."""
        entries = (self._entries.pop(user_id, None) for user_id in user_ids)
        freed = [entry.slot for entry in entries if entry is not None]
        self._free += freed
        return freed

    def forget_all(self) -> None:
        """Give up every entry."""
        self.evict(list(self._entries))
