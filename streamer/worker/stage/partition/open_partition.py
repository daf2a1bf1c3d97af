"""A partition that a worker owns, as the stage holds it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from schemas.errors import StateError
from streamer.core.alerts.decisions import Decision
from streamer.core.engine.partition import Partition
from streamer.core.erasure import ErasedUsers
from streamer.core.user_state import UserState, decode_state
from streamer.worker.stage.partition.counters import Counters, count
from streamer.worker.stage.partition.partition_model import PartitionModel
from streamer.worker.stage.partition.partition_status import PartitionStatus, decode_status
from streamer.worker.stage.partition.recent_reads import ReadsWatch
from streamer.worker.stage.partition.state_cache import StateCache
from streamer.worker.stage.partition.user_places import PlacesWatch
from streamer.worker.stage.protocol import Message

log = structlog.get_logger(__name__)

ReadTable = Callable[[bytes], bytes | None]


@dataclass
class OpenedPartition:
    """``held``: it lags behind, so raises wait. ``newcomers``: users without a state, of those whose state
    the last reader was asked for.
    """

    partition: Partition
    states: StateCache
    counters: Counters
    model: PartitionModel
    erased: ErasedUsers
    reads: ReadsWatch
    places: PlacesWatch
    held: bool = False
    newcomers: set[str] = field(default_factory=set)

    def reader(self, read: ReadTable) -> Callable[[str], UserState | None]:
        """A function that gives a user's state: the cached one, else what ``read`` has under the id."""
        newcomers = self.newcomers = set[str]()

        def read_state(user_id: str) -> UserState | None:
            state = self.states.get(user_id)
            if state is None:
                state = stored_state(read, user_id)
                if state is None:
                    newcomers.add(user_id)
            return state

        return read_state

    def messages(self, decisions: Iterable[Decision]) -> list[Message]:
        """Decisions as messages, and those that are sent as alerts, too."""
        words, published = self.model.scorer.messages, list[Message]()
        for decision in decisions:
            if decision.action == "sent":
                published.append(words.alert(decision, self.partition.number))
            published.append(words.decision(decision))
        return published

    def count_decisions(self, decisions: Iterable[Decision]) -> None:
        """Add decisions, and the alerts among them, to the partition's counts."""
        for decision in decisions:
            if decision.action == "sent":
                count(self.counters.alerts, decision.transition)
            count(self.counters.decisions, decision.obstacle or decision.action)


def stored_state(read: ReadTable, user_id: str) -> UserState | None:
    """A user's state in the store; raises :class:`StateError`."""
    try:
        stored = read(user_id.encode())
    except Exception as error:
        raise StateError(
            f"the local store cannot be read ({error}); delete it so that it is recovered from the changelog"
        ) from error
    return None if stored is None else decoded_state(user_id, stored)


def decoded_state(user_id: str, stored: bytes) -> UserState:
    """The state in ``stored``; raises :class:`StateError`, and says in the log whose it is."""
    try:
        return decode_state(stored)
    except StateError:
        log.error("a stored state cannot be read", user_id=user_id)
        raise


def previous_status(status: str, partition: int) -> PartitionStatus | None:
    """The partition's status as of its last transaction; nothing where it cannot be known."""
    try:
        return decode_status(status)
    except StateError as error:
        log.warning("counts start from nothing", partition=partition, reason=str(error))
        return None
