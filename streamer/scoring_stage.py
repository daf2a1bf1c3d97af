"""The stage that scores: records decoded, applied by the core, its outcome as state and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from schemas.decoding import EventFormat
from schemas.errors import StateError
from streamer.continuity import check_partition, check_topics_unchanged
from streamer.core.apply import Applied
from streamer.core.clock import NEVER_MS
from streamer.core.model import RiskModel
from streamer.core.partition import Partition, PartitionEvent, Rules
from streamer.core.poison import NOBODY, separate
from streamer.core.requests import Explain
from streamer.core.scoring import answer_explanations
from streamer.core.source import SourceWatch
from streamer.core.user_state import UserState, decode_state, encode_state
from streamer.counters import Counters, count
from streamer.intake import Intake
from streamer.outputs import Messages
from streamer.partition_record import CLOCK_KEY, SourceTopics, decode_record, encode_record
from streamer.repartition import Repartition, is_announcement
from streamer.rollout.models import Models, Scorer
from streamer.rollout.partition_model import PartitionModel, open_partition_model
from streamer.stage import Message, Outcome, Record
from streamer.state_cache import StateCache
from streamer.status.partition_status import (
    PartitionStatus,
    SourceStatus,
    WorkerIdentity,
    decode_status,
    encode_status,
)

log = structlog.get_logger(__name__)

Read = Callable[[bytes], bytes | None]


@dataclass
class _Opened:
    """A partition that this worker owns. ``held``: it lags behind, so raises wait."""

    partition: Partition
    states: StateCache
    counters: Counters
    model: PartitionModel
    held: bool = False


class ScoringStage:
    """Implements :class:`streamer.stage.Stage` with the core, a policy and a risk model.

    ``live``: wall time counts, so a batch that comes without it is one that lags behind. ``event_format``:
    whose events the topic carries. ``currency``: the only one whose amounts count; ``None`` takes all alike.
    ``repartition``: how records come to their users' partitions, if the topic is not keyed by user.
    ``worker``: who speaks in the partitions' statuses. ``topics``: those that states are made of and lie in,
    ``None`` where they lie in no topic.
    """

    def __init__(
        self,
        rules: Rules,
        model: RiskModel,
        messages: Messages,
        cached_states: int,
        *,
        worker: WorkerIdentity,
        live: bool,
        event_format: EventFormat = "contract",
        currency: str | None = None,
        repartition: Repartition | None = None,
        topics: SourceTopics | None = None,
    ) -> None:
        self.models = Models(Scorer(rules, model, messages, worker))
        self._topics = topics
        self._intake = Intake(
            messages.source_topic, messages.topic_prefix, event_format, currency, repartition
        )
        self._repartition = repartition
        self._live = live
        self._cached_states = cached_states
        self._source = SourceWatch()
        self._source_down = False
        self._opened: dict[int, _Opened] = {}

    def open(
        self, partition: int, items: Iterable[tuple[bytes, bytes]], said: str = "", next_offset: int = 0
    ) -> None:
        """Take a partition over: its clock, its model and every user's deadline come from the table."""
        check_partition(partition, self._topics)
        scorer, taken_up = self.models.serving, None
        opened = Partition(partition, scorer.rules, scorer.model)
        for key, stored in items:
            if key == CLOCK_KEY:
                record = decode_record(stored)
                check_topics_unchanged(record.topics, self._topics)
                opened.clock_ms, taken_up = record.clock_ms, record.model
            else:
                user_id = key.decode()
                opened.adopt(user_id, _decoded(user_id, stored))
        if self._repartition is not None:
            self._repartition.open(partition)
        before = _said_before(said, partition)
        trial = None if before is None else before.trial
        model = open_partition_model(self.models, taken_up, trial, next_offset)
        if model.scorer is not scorer:
            opened.take_up(model.scorer.rules, model.scorer.model)
        counters = Counters() if before is None else before.counters
        self._opened[partition] = _Opened(opened, StateCache(self._cached_states), counters, model)

    def close(self, partition: int) -> None:
        """Forget a partition that was revoked."""
        self._opened.pop(partition, None)

    def process(self, partition: int, read: Read, records: Sequence[Record], now_ms: int | None) -> Outcome:
        """Apply one batch; see :meth:`streamer.stage.Stage.process`."""
        opened = self._opened[partition]
        counters, news = opened.counters, opened.model.follow(self.models, opened.partition)
        events, messages = self._intake.read(records, partition, counters)
        if self._repartition is not None:
            messages += self._repartition.announce(partition, now_ms)
        was_down, was_held = self._source_down, opened.held
        if now_ms is not None and self._source_is_down(records, now_ms):
            return Outcome({}, messages, news=news or not was_down)
        if self._repartition is not None:
            now_ms = self._repartition.proven_ms(partition, now_ms)
        opened.held = self._live and now_ms is None

        clock_before = opened.partition.clock_ms
        try:
            applied, writes, told = self._apply(opened, read, events, now_ms)
        except (StateError, MemoryError):
            raise
        except Exception as error:
            self._undo(opened, read)
            failure = {"partition": partition, "error": type(error).__name__}
            log.warning("batch failed: looking for the records to blame", records=len(records), **failure)
            good, poison = separate(events, lambda tried: self._attempt(opened, read, tried, now_ms))
            log.error("dead letters: records that cannot be processed", number=len(poison), **failure)
            applied, writes, told = self._apply(opened, read, good, now_ms)
            refused = {event.offset: reason for event, reason in poison}
            messages += self._intake.refuse(records, refused, partition, counters)
        messages += told
        for decision in applied.decisions:
            if decision.action == "sent":
                count(counters.alerts, decision.transition)
            count(counters.decisions, decision.obstacle or decision.action)
        model = opened.model
        model.compare(self.models, applied)
        if records and not records[0].forwarded:
            model.next_offset = records[-1].offset + 1
        clock_ms = opened.partition.clock_ms
        if not model.recorded or ((records or writes) and clock_ms != clock_before):
            writes[CLOCK_KEY] = encode_record(clock_ms, self._topics, model.taken_up)
            model.recorded = True
        news = news or (was_held, was_down) != (opened.held, self._source_down)
        return Outcome(writes, messages, news=news)

    def _apply(
        self, opened: _Opened, read: Read, events: Sequence[PartitionEvent], now_ms: int | None
    ) -> tuple[Applied, dict[bytes, bytes | None], list[Message]]:
        """Apply ``events``; returns also the users' table writes, and what is to be told."""
        cache, number = opened.states, opened.partition.number

        def read_state(user_id: str) -> UserState | None:
            cached = cache.get(user_id)
            return _stored(read, user_id) if cached is None else cached

        applied = opened.partition.apply(read_state, events, now_ms, held=opened.held)
        writes: dict[bytes, bytes | None] = {}
        messages: list[Message] = []
        for decision in applied.decisions:
            if decision.action == "sent":
                messages.append(opened.model.scorer.messages.alert(decision, number))
            messages.append(opened.model.scorer.messages.decision(decision))
        identity = opened.model.scorer.model.identity
        for user_id, state in applied.states.items():
            cache.put(user_id, state)
            writes[user_id.encode()] = None if state is None else encode_state(state)
            # A duplicate asks nothing: no risk bears the name of a model that has not looked at the user.
            if state is None or state.model == identity:
                messages.append(opened.model.scorer.messages.score(user_id, state, number))
        return applied, writes, messages

    def _attempt(
        self, opened: _Opened, read: Read, events: Sequence[PartitionEvent], now_ms: int | None
    ) -> Exception | None:
        """Apply ``events`` and take them back; returns what that raised.

        What no event can be to blame for is raised on.
        """
        try:
            applied, _, _ = self._apply(opened, read, events, now_ms)
            if (nobody := applied.states.get(NOBODY)) is not None:
                # Every graph is asked, also the one that is there for alerts.
                answer_explanations([Explain(NOBODY, nobody, False)], opened.model.scorer.model)
        except (StateError, MemoryError):
            raise
        except Exception as error:
            return error
        finally:
            self._undo(opened, read)
        return None

    def _undo(self, opened: _Opened, read: Read) -> None:
        """Bring a partition's memory back to what is in the store."""
        for user_id in opened.partition.undo(lambda user_id: _stored(read, user_id)):
            opened.states.put(user_id, None)

    def status(self, partition: int, wall_ms: int) -> str:
        """See :meth:`streamer.stage.Stage.status`."""
        opened = self._opened[partition]
        clock_ms, arrived_ms = opened.partition.clock_ms, self._source.arrived_ms
        source = None
        if arrived_ms is not None:
            source = SourceStatus(arrived_ms, self._source.patience_ms(wall_ms), self._source_down)
        return encode_status(
            PartitionStatus(
                said_ms=wall_ms,
                worker=opened.model.scorer.worker,
                counters=opened.counters,
                clock_ms=None if clock_ms == NEVER_MS else clock_ms,
                held=opened.held,
                source=source,
                topics=self._topics,
                model=opened.model.taken_up,
                trial=opened.model.trial,
            )
        )

    def _source_is_down(self, records: Sequence[Record], now_ms: int) -> bool:
        """Whether this is a tick while no partition gets records: time then stands still for everybody."""
        arrived = not all(is_announcement(record) for record in records)
        if arrived:
            self._source.arrived(now_ms)
        down = not arrived and self._source.is_down(now_ms)
        if down != self._source_down:
            self._source_down = down
            log.warning("source is down: decisions wait" if down else "source is back")
        return down


def _stored(read: Read, user_id: str) -> UserState | None:
    try:
        stored = read(user_id.encode())
    except Exception as error:
        raise StateError(
            f"the local store cannot be read ({error}); delete it so that it is recovered from the changelog"
        ) from error
    return None if stored is None else _decoded(user_id, stored)


def _decoded(user_id: str, stored: bytes) -> UserState:
    try:
        return decode_state(stored)
    except StateError:
        log.error("a stored state cannot be read", user_id=user_id)
        raise


def _said_before(said: str, partition: int) -> PartitionStatus | None:
    """The partition's status as of its last transaction; nothing where it cannot be known."""
    try:
        return decode_status(said)
    except StateError as error:
        log.warning("counts start from nothing", partition=partition, reason=str(error))
        return None
