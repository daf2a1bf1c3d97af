"""The cache of keys and values: a bounded arena whose least recently used entry gives way.

It is only a cache: what it lacks is rebuilt from a user's stored tokens, to the same bits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.bundle import Manifest


@dataclass(slots=True)
class Entry:
    """A cached user; ``position`` and ``newest`` tell the last event in it.

    ``position``: how many events came before it. ``newest``: its packed time and event hash.
    """

    slot: int
    position: int
    newest: bytes


class KeyValueArena:
    """``array`` float32 ``[users + 1, layers, 2, window, width]``; the slot ``scratch`` belongs to nobody."""

    def __init__(self, manifest: Manifest, users: int) -> None:
        self.window = manifest.window
        self.users = users
        self.scratch = users
        shape = (users + 1, manifest.layers, 2, manifest.window, manifest.width)
        self.array: npt.NDArray[np.float32] = np.zeros(shape, np.float32)
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
        """A new, zeroed entry for a user who has none; the least recently used gives way."""
        slot = self._free.pop() if self._free else self._entries.popitem(last=False)[1].slot
        entry = Entry(slot, -1, b"")
        self._entries[user_id] = entry
        self.clear(entry)
        return entry

    def clear(self, entry: Entry) -> None:
        """Zero an entry's keys and values: a rebuild then starts alike wherever it happens."""
        self.array[entry.slot] = 0.0

    def write(
        self, slots: npt.NDArray[np.int64], positions: npt.NDArray[np.int64], rows: npt.NDArray[np.float32]
    ) -> None:
        """Put the rows ``[users, layers, 2, width]`` of events at ``positions`` into distinct ``slots``."""
        self.array[slots, :, :, positions % self.window] = rows

    def evict(self, user_ids: Iterable[str]) -> None:
        """Give up the entries of these users, of those who have one."""
        for user_id in user_ids:
            entry = self._entries.pop(user_id, None)
            if entry is not None:
                self._free.append(entry.slot)

    def forget_all(self) -> None:
        """Give up every entry."""
        self.evict(list(self._entries))
