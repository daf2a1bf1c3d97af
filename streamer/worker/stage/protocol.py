"""What the Kafka shell and the scoring stage say to each other.

The shell knows partitions, offsets and transactions and nothing of users; the stage knows users and
nothing of Kafka. One call of :meth:`Stage.process` is one Kafka transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

Headers = tuple[tuple[str, bytes | None], ...]

RECENT_MS: Final = 30_000
"""Records appended less than this ago are the present, even if more have arrived since."""


class Record(Struct, frozen=True, gc=False):
    """One record of a source topic, undecoded.

    ``timestamp_ms``: when it counts as written (:func:`streamer.core.timing.clock.written_ms`), epoch
    milliseconds.

    ``forwarded``: it comes from the repartition topic, where another partition has put it. ``erasure``: from
    the topic of requests to forget a user.
    """

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    forwarded: bool = False
    erasure: bool = False


class Message(Struct, frozen=True, gc=False):
    """One record to be written to ``topic``; to the partition of what caused it where none is given."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class BatchOutcome(NamedTuple):
    """What a batch changed: table writes by key (``None`` deletes) and the messages to send, in order.

    ``news``: the partition's status has changed in a way that should be told now, whatever else happens.
    """

    state: dict[bytes, bytes | None]
    messages: list[Message]
    news: bool = False


class Stage(Protocol):
    """A deterministic function from batches of records to state and messages, one partition at a time.

    A stage keeps in-memory state that runs ahead of the store until the batch is committed, so a
    process whose transaction failed must end; it may then be given the same records again.
    """

    def opening(
        self, partition: int, items: Iterable[tuple[bytes, bytes]], status: str = "", next_offset: int = 0
    ) -> Generator[None]:
        """Take a partition over, in slices of which each takes some milliseconds; it is open at the end.

        A partition that is taken away in between is closed by closing the generator.
        ``items``: the whole recovered table of the partition. ``status``: its :meth:`status` as of its last
        transaction, by whoever owned it then; empty if there was none. ``next_offset``: of its first record
        that has not been processed.
        """
        ...

    def close(self, partition: int) -> None:
        """Forget a partition that was revoked."""
        ...

    def process(
        self,
        partition: int,
        read: Callable[[bytes], bytes | None],
        records: Sequence[Record],
        now_ms: int | None,
    ) -> BatchOutcome:
        """Apply ``records`` in offset order; all of them come from one topic.

        An empty sequence is a tick. ``now_ms`` is wall time when the partition has caught up and wall
        time may move its clock, else ``None``. ``read`` returns the stored value of a table key.
        """
        ...

    def status(self, partition: int, wall_ms: int) -> str:
        """What is to be known of the partition after what was processed, of at most 4,000 bytes.

        The shell commits it beside the source offset, and gives it to the next owner. ``wall_ms``: the
        moment, for those who read it; it must not influence anything that is processed.
        """
        ...
