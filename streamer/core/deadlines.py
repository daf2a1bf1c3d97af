"""The next deadline of every user of a partition, soonest first."""

from __future__ import annotations

from heapq import heapify, heappop, heappush


class Deadlines:
    """A priority queue with one entry that counts for each user.

    A moved deadline leaves its old entry behind, which is passed over when its turn comes; once such
    entries outnumber the users, the heap is built anew.
    """

    def __init__(self) -> None:
        self._due_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due_ms)

    def put(self, user_id: str, due_ms: int) -> None:
        """Set the user's only deadline, epoch milliseconds."""
        if self._due_ms.get(user_id) == due_ms:
            return
        self._due_ms[user_id] = due_ms
        heappush(self._heap, (due_ms, user_id))
        if len(self._heap) > 2 * len(self._due_ms) + 64:
            self._heap = [(due, user) for user, due in self._due_ms.items()]
            heapify(self._heap)

    def drop(self, user_id: str) -> None:
        """Forget the user's deadline, if there is one."""
        self._due_ms.pop(user_id, None)

    def take_due(self, until_ms: int) -> list[str]:
        """Users whose deadline is at or before ``until_ms``; they have none until it is put anew."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= until_ms:
            due_ms, user_id = heappop(self._heap)
            if self._due_ms.get(user_id) == due_ms:
                del self._due_ms[user_id]
                due.append(user_id)
        return due
