"""The next deadline of every user of a partition, soonest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush


class Deadlines:
    """A priority queue whose entry for a user is never later than the user's deadline.

    Nearly every event only puts a deadline off, so a later one leaves the entry where it is: when its turn
    comes, it is put back for the deadline of then. Once entries outnumber the users by far, the heap is
    built anew.

    >>> deadlines = Deadlines()
    >>> deadlines.put("ann", 100)
    >>> deadlines.put("bob", 200)
    >>> deadlines.put("ann", 300)
    >>> deadlines.take_due(until_ms=250)
    ['bob']"""

    def __init__(self) -> None:
        self._due_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due_ms)

    def put(self, user_id: str, due_ms: int) -> None:
        """Set the user's only deadline, epoch milliseconds."""
        before_ms = self._due_ms.get(user_id)
        self._due_ms[user_id] = due_ms
        if before_ms is not None and before_ms <= due_ms:
            return
        heappush(self._heap, (due_ms, user_id))
        if len(self._heap) > 2 * len(self._due_ms) + 64:
            self._build_anew()

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Every user with a deadline."""
        return iter(self._due_ms.items())

    def drop(self, user_id: str) -> None:
        """Forget the user's deadline, if there is one."""
        self._due_ms.pop(user_id, None)

    def erase(self, user_ids: Iterable[str]) -> None:
        """Forget the users' deadlines without leaving an entry behind; takes a look at every user."""
        for user_id in user_ids:
            self.drop(user_id)
        self._build_anew()

    def take_due(self, until_ms: int) -> list[str]:
        """Users whose deadline is at or before ``until_ms``; they have none until it is put anew."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= until_ms:
            at_ms, user_id = heappop(self._heap)
            due_ms = self._due_ms.get(user_id)
            if due_ms == at_ms:
                del self._due_ms[user_id]
                due.append(user_id)
            elif due_ms is not None and due_ms > at_ms:
                heappush(self._heap, (due_ms, user_id))
        return due

    def _build_anew(self) -> None:
        self._heap = [(due, user) for user, due in self._due_ms.items()]
        heapify(self._heap)
