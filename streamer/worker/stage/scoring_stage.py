"""The stage that scores: records decoded, applied by the core, its outcome as state and messages."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Final

import structlog

from schemas.errors import StateError
from schemas.topics import DEAD_LETTER_BYTES, DEAD_LETTERS, ERASURES, with_prefix
from schemas.wire.decoding import EventFormat
from streamer.core.engine.apply import Applied
from streamer.core.engine.batch_scoring import answer_explanations
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.model_requests import Explain
from streamer.core.engine.partition import Partition, Rules
from streamer.core.engine.poison import NOBODY, separate
from streamer.core.erasure import ErasedUsers, is_mark
from streamer.core.model.risk_model import RiskModel
from streamer.core.timing.clock import NEVER_MS
from streamer.core.timing.source_watch import SourceWatch
from streamer.core.user_state import encode_state
from streamer.worker.stage.dead_letters import DeadLetters
from streamer.worker.stage.erasure_requests import ErasureRequests
from streamer.worker.stage.intake import Intake
from streamer.worker.stage.messages import Messages
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.open_partition import (
    OpenedPartition,
    ReadTable,
    decoded_state,
    previous_status,
    stored_state,
)
from streamer.worker.stage.partition.partition_model import open_partition_model
from streamer.worker.stage.partition.partition_record import (
    CLOCK_KEY,
    SourceTopics,
    decode_record,
    encode_record,
)
from streamer.worker.stage.partition.partition_status import (
    PartitionStatus,
    SourceStatus,
    WorkerIdentity,
    encode_status,
)
from streamer.worker.stage.partition.recent_reads import ReadsWatch
from streamer.worker.stage.partition.scorers import Models, Scorer
from streamer.worker.stage.partition.state_cache import StateCache
from streamer.worker.stage.partition.user_places import PlacesWatch
from streamer.worker.stage.protocol import BatchOutcome, Message, Record
from streamer.worker.stage.repartition import Repartition, is_announcement
from streamer.worker.stage.source_topics import check_partition, check_topics_unchanged

SLICE_USERS: Final = 500
"""Users decoded at once while a partition is opened, in some ten milliseconds."""

log = structlog.get_logger(__name__)


class ScoringStage:
    """Implements :class:`streamer.worker.stage.protocol.Stage` with the core, a policy and a risk model.

    ``live``: wall time counts, so a batch that comes without it is one that lags behind. ``event_format``:
    whose events the topic carries. ``currency``: the only one whose amounts count; ``None`` takes all alike.
    ``repartition``: how records come to their users' partitions, if the topic is not keyed by user.
    ``worker``: who speaks in the partitions' statuses. ``topics``: those that states are made of and lie in,
    ``None`` where they lie in no topic. ``mark_keys``: of :class:`ErasedUsers`.
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
        mark_keys: Sequence[bytes],
        event_format: EventFormat = "contract",
        currency: str | None = None,
        repartition: Repartition | None = None,
        topics: SourceTopics | None = None,
        dead_letter_max_bytes: int = DEAD_LETTER_BYTES,
    ) -> None:
        self.models = Models(Scorer(rules, model, messages, worker))
        self._topics = topics
        dead_letters = DeadLetters(with_prefix(messages.topic_prefix, DEAD_LETTERS), dead_letter_max_bytes)
        self._intake = Intake(messages.source_topic, dead_letters, event_format, currency, repartition)
        self._repartition = repartition
        self._erasures = ErasureRequests(
            with_prefix(messages.topic_prefix, ERASURES), dead_letters, rules.partitions
        )
        self._mark_keys = mark_keys
        self._live = live
        self._cached_states = cached_states
        self._source = SourceWatch()
        self._source_down = False
        self._opened: dict[int, OpenedPartition] = {}

    def open(
        self, partition: int, items: Iterable[tuple[bytes, bytes]], status: str = "", next_offset: int = 0
    ) -> None:
        """Take a partition over at once."""
        for _ in self.opening(partition, items, status, next_offset):
            pass

    def opening(
        self, partition: int, items: Iterable[tuple[bytes, bytes]], status: str = "", next_offset: int = 0
    ) -> Generator[None]:
        """Take a partition over: its clock, its model and every user's deadline come from the table."""
        check_partition(partition, self._topics)
        scorer, taken_up = self.models.serving, None
        opened, erased = Partition(partition, scorer.rules, scorer.model), ErasedUsers(self._mark_keys)
        before = previous_status(status, partition)
        places = PlacesWatch(partition, scorer.rules.partitions, before and before.places)
        for number, (key, stored) in enumerate(items):
            if number % SLICE_USERS == 0:
                yield
            if key == CLOCK_KEY:
                record = decode_record(stored)
                check_topics_unchanged(record.topics, self._topics)
                opened.clock_ms, taken_up = record.clock_ms, record.model
            elif is_mark(key):
                erased.adopt(key, stored)
            else:
                user_id = key.decode()
                opened.adopt(user_id, decoded_state(user_id, stored))
                places.adopt(user_id)
        if self._repartition is not None:
            self._repartition.open(partition)
        trial = None if before is None else before.trial
        model = open_partition_model(self.models, taken_up, trial, next_offset)
        if model.scorer is not scorer:
            opened.take_up(model.scorer.rules, model.scorer.model)
        counters = Counters() if before is None else before.counters
        states, reads = StateCache(self._cached_states), ReadsWatch(counters, before and before.recent)
        self._opened[partition] = OpenedPartition(opened, states, counters, model, erased, reads, places)

    def close(self, partition: int) -> None:
        """Forget a partition that was revoked."""
        self._opened.pop(partition, None)
        self._source.lags_no_more(partition)

    def process(
        self, partition: int, read: ReadTable, records: Sequence[Record], now_ms: int | None
    ) -> BatchOutcome:
        """Apply one batch; see :meth:`streamer.worker.stage.protocol.Stage.process`."""
        opened = self._opened[partition]
        if records and records[0].erasure:
            return self._erase(opened, read, records)
        counters, news = opened.counters, opened.model.follow(self.models, opened.partition)
        events, messages = self._intake.read(records, partition, counters, opened.erased.refused(read))
        if self._repartition is not None:
            messages += self._repartition.announce(partition, now_ms)
        was_down, was_held = self._source_down, opened.held
        if self._source_is_down(partition, records, now_ms):
            return BatchOutcome({}, messages, news=news or not was_down)
        if self._repartition is not None:
            now_ms = self._repartition.proven_ms(partition, now_ms)
        opened.held = self._live and now_ms is None

        events, refused = self._intake.without_jumps(records, events, opened.partition, counters)
        messages += refused
        clock_before = opened.partition.clock_ms
        try:
            applied, writes, published = self._apply(opened, read, events, now_ms)
        except (StateError, MemoryError):
            raise
        except Exception as error:
            self._undo(opened, read)
            failure = {"partition": partition, "error": type(error).__name__}
            log.warning("batch failed: looking for the records to blame", records=len(records), **failure)
            good, poison = separate(events, lambda tried: self._attempt(opened, read, tried, now_ms))
            log.error("dead letters: records that cannot be processed", number=len(poison), **failure)
            # An event left out may have moved the clock to where the next one is no jump any more.
            good, refused = self._intake.without_jumps(records, good, opened.partition, counters)
            messages += refused
            applied, writes, published = self._apply(opened, read, good, now_ms)
            blamed = {event.offset: reason for event, reason in poison}
            messages += self._intake.refuse(records, blamed, partition, counters)
        messages += published
        opened.count_decisions(applied.decisions)
        opened.places.changed(applied.states, opened.newcomers)
        model = opened.model
        model.compare(self.models, applied)
        if records and not records[0].forwarded:
            model.next_offset = records[-1].offset + 1
        clock_ms = opened.partition.clock_ms
        if not model.recorded or ((records or writes) and clock_ms != clock_before):
            writes[CLOCK_KEY] = encode_record(clock_ms, self._topics, model.taken_up)
            model.recorded = True
        news = news or (was_held, was_down) != (opened.held, self._source_down)
        return BatchOutcome(writes, messages, news=news)

    def _apply(
        self, opened: OpenedPartition, read: ReadTable, events: Sequence[PartitionEvent], now_ms: int | None
    ) -> tuple[Applied, dict[bytes, bytes | None], list[Message]]:
        """Apply ``events``; returns also the users' table writes, and what is to be told."""
        cache, number = opened.states, opened.partition.number
        applied = opened.partition.apply(opened.reader(read), events, now_ms, held=opened.held)
        writes: dict[bytes, bytes | None] = {}
        messages = opened.messages(applied.decisions)
        identity = opened.model.scorer.model.identity
        for user_id, state in applied.states.items():
            cache.put(user_id, state)
            writes[user_id.encode()] = None if state is None else encode_state(state)
            # A duplicate asks nothing: no risk bears the name of a model that has not looked at the user.
            if state is None or state.model == identity:
                messages.append(opened.model.scorer.messages.score(user_id, state, number))
        return applied, writes, messages

    def _attempt(
        self, opened: OpenedPartition, read: ReadTable, events: Sequence[PartitionEvent], now_ms: int | None
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

    def _undo(self, opened: OpenedPartition, read: ReadTable) -> None:
        """Bring a partition's memory back to what is in the store."""
        for user_id in opened.partition.undo(lambda user_id: stored_state(read, user_id)):
            opened.states.put(user_id, None)

    def _erase(self, opened: OpenedPartition, read: ReadTable, records: Sequence[Record]) -> BatchOutcome:
        """Forget users. Nothing else happens: no time passes, and no record has come from the source."""
        number = opened.partition.number
        erasures, asked, messages = self._erasures.read(records, number, opened.counters)
        applied = opened.partition.erase(opened.reader(read), erasures)
        messages += opened.messages(applied.decisions)
        opened.count_decisions(applied.decisions)
        opened.places.changed(applied.states, opened.newcomers)
        writes = dict[bytes, bytes | None](opened.erased.marks(erasures, read))
        for user_id in applied.states:
            opened.states.put(user_id, None)
            writes[user_id.encode()] = None
        for scorer in (opened.model.scorer, *self.models.loaded):
            scorer.model.forget(applied.states)
        for user_id in sorted(asked.union(applied.states)):
            messages.append(opened.model.scorer.messages.score(user_id, None, number))
        return BatchOutcome(writes, messages)

    def status(self, partition: int, wall_ms: int) -> str:
        """See :meth:`streamer.worker.stage.protocol.Stage.status`."""
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
                places=opened.places.places,
                recent=opened.reads.look(opened.counters, wall_ms),
            )
        )

    def _source_is_down(self, partition: int, records: Sequence[Record], now_ms: int | None) -> bool:
        """Whether this is a tick while no partition gets records: time then stands still for everybody.

        A tick of a partition that lags (``now_ms`` is ``None``) tells nothing of the source.
        """
        arrived = not all(is_announcement(record) for record in records)
        if now_ms is not None:
            self._source.lags_no_more(partition)
            if arrived:
                self._source.arrived(now_ms)
        elif arrived:
            self._source.lags(partition)
        else:
            return False
        down = not arrived and now_ms is not None and self._source.is_down(now_ms)
        if down != self._source_down:
            self._source_down = down
            log.warning("source is down: decisions wait" if down else "source is back")
        return down
