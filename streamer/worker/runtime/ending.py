"""How the process ends: with which exit code, and by when at the latest."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Final

from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError

from schemas.errors import BrokerError

# A failed worker that is still alive after this long is ended without ceremony.
CRASH_DEADLINE_S: Final = 15.0
# The same for one that was told to stop: longer than a transaction may be open by default, and less than
# the 30 s that supervisors commonly wait before they kill.
STOP_DEADLINE_S: Final = 20.0

# What being fenced, an aborted transaction, a partition taken away and a broker that has gone look like.
# Whatever they interrupt is undone by the broker and done again by the partition's next owner.
_UNDONE: Final = (
    KafkaError,
    IllegalOperation,
    ConsumerStoppedError,
    BrokerError,
    ConnectionError,
    TimeoutError,
    asyncio.CancelledError,
)


class Ending:
    """What is known of the end of this process, which comes with a stop, a failure or both.

    Once a stop is under way, nothing that Kafka undoes is a failure. A failure before it, and one of the
    stage or of the store at any time, decides the exit code.
    """

    def __init__(self) -> None:
        self._stopping = False
        self._failed = False

    def stop(self) -> None:
        """Note that the process was told to stop; it ends within :data:`STOP_DEADLINE_S`."""
        if not self._stopping:
            self._stopping = True
            self._end_within(STOP_DEADLINE_S)

    def excuses(self, error: BaseException) -> bool:
        """Whether ``error`` is no failure, because a stop is under way that would have undone the same."""
        return self._stopping and isinstance(error, _UNDONE)

    def fail(self, error: BaseException) -> None:
        """Note an error that ends the process, within :data:`CRASH_DEADLINE_S` unless it is excused."""
        if not self._failed and not self.excuses(error):
            self._failed = True
            self._end_within(CRASH_DEADLINE_S)

    def exit_code(self, code: int = 0) -> int:
        """The exit code of a process that would else end with ``code``."""
        if self._failed:
            return code or 1
        return 0 if self._stopping else code

    def _end_within(self, deadline_s: float) -> None:
        # By force, from a thread of its own: event loops and other threads may be what does not end.
        deadline = threading.Timer(deadline_s, lambda: os._exit(self.exit_code()))
        deadline.daemon = True
        deadline.start()
