"""The inner methods of Faust, mode and aiokafka that `streamer.worker.runtime` replaces or leans on, as read.

A failure is no bug: an installed version differs from the one that the overrides were written against.
Read the new source with the note beside it, change the override if needed, then take the new digest.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from faust import App
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from mode import Service
from mode.threads import QueueServiceThread, ServiceThread
from mode.utils.queues import FlowControlEvent
from mode.worker import Worker

from streamer.worker.runtime.application import StreamingApp, StreamingWorker
from streamer.worker.runtime.recovery import PositionRecovery, PositionTableManager
from streamer.worker.runtime.transport import BatchConsumer, ReadCommittedThread


class Inner(NamedTuple):
    """One function, the digest of its source, and what to look at when that changes."""

    function: Callable[..., Any]
    digest: str
    review: str


def _getter(owner: type, name: str) -> Callable[..., Any]:
    """The function behind a property."""
    found = inspect.getattr_static(owner, name).fget
    assert found is not None
    return found


def _task(owner: type, name: str) -> Callable[..., Any]:
    """The function behind a service's background task."""
    return inspect.getattr_static(owner, name).fun


INNER = [
    # Replaced by the transport.
    Inner(
        AIOKafkaConsumerThread._create_worker_consumer,
        "936e53aab137bb69",
        "isolation level and fetch wait are set on the result",
    ),
    Inner(
        AIOKafkaConsumerThread.seek_to_committed,
        "d66bde3b71e2b939",
        "still seeks through call_thread; event topic only",
    ),
    Inner(
        AIOKafkaConsumerThread._fetch_records,
        "dcc2d96f49713c19",
        "one call a partition, and never an empty set of partitions",
    ),
    Inner(Consumer._new_consumer_thread, "89ce55d44796a2e9", "the thread's arguments"),
    Inner(
        Consumer._to_message,
        "b67d9c7228d1e42d",
        "the batch becomes the message's value; generation_id is the app's",
    ),
    Inner(BaseConsumer.getmany, "b3651b6ff09e9d5b", "replaced whole: batches instead of records"),
    Inner(
        BaseConsumer._wait_next_records,
        "7d5a17ddae3fee8f",
        "waits while the flow is stopped, then fetches active partitions",
    ),
    Inner(
        BaseConsumer._drain_messages,
        "51f5d28b77953a29",
        "asks again only after every yielded message is in its queue",
    ),
    Inner(
        BaseConsumer.on_buffer_full,
        "5221a84ed528308f",
        "replaced by nothing: the queue's bound holds the fetcher back",
    ),
    Inner(BaseConsumer.on_buffer_drop, "24d93ad07b578903", "replaced by nothing, as on_buffer_full"),
    Inner(
        BaseConsumer.verify_all_partitions_active,
        "354e715df3536855",
        "replaced by nothing: it does no more than warn",
    ),
    Inner(
        BaseConsumer.wait_empty,
        "e6ba6b8dd2510ab0",
        "called on revocation and at shutdown, before the stores close",
    ),
    Inner(BaseConsumer.on_partitions_assigned, "accafbb022f7b720", "former owners are fenced before it runs"),
    Inner(BaseConsumer.perform_seek, "907234e153925494", "sets the read offsets to the committed ones"),
    Inner(
        Transport.create_consumer,
        "80282e23de326c61",
        "makes the class attribute Consumer, with the transport first",
    ),
    Inner(ConductorCompiler.build, "f0888d8f544fabda", "a full queue makes the consumer wait"),
    # The end of a worker.
    Inner(
        App._on_rebalance_when_stopped,
        "596ec18194ba2d19",
        "all that a rebalance does during the stop: closes the consumer",
    ),
    Inner(QueueServiceThread.call_thread, "3e8109232c5d0ecd", "raises what the thread's event loop raises"),
    Inner(ServiceThread._stopped_set, "3cac40774a0134d2", "wakes the thread's event loop"),
    Inner(
        AIOKafkaConsumerThread.close,
        "265a88ab7a4b7fb9",
        "replaced by nothing: on_thread_stop closes the consumer",
    ),
    Inner(
        BaseConsumer.on_partitions_revoked, "901b70cdae5c18f3", "does nothing to the streams during the stop"
    ),
    Inner(Worker.install_signal_handlers, "f3ff1a935c366acd", "which signals end a worker"),
    Inner(Worker._schedule_shutdown, "d68d623a38186a77", "the first that a signal calls"),
    # Replaced by recovery.
    Inner(
        _task(Recovery, "_restart_recovery"),
        "59c2f1e87c6fdc8e",
        "changelogs are active from after their seek until the signal",
    ),
    Inner(
        _task(Recovery, "_slurp_changelogs"),
        "4f248be84a02f98e",
        "gets no records; clears the end signal only while it waits for some",
    ),
    Inner(
        _task(Recovery, "_publish_stats"),
        "8b8aaa568619f99e",
        "replaced by nothing: it does no more than log and warn",
    ),
    Inner(Recovery._highwater_logtable, "7f1d8cc8911c4ac8", "only logged"),
    Inner(Recovery._start_offsets_logtable, "2d74545c846851a5", "only logged"),
    Inner(
        Recovery._build_offsets,
        "c81215b6f1628a8c",
        "called when the ends are known, with what the store has seen",
    ),
    Inner(Recovery._set_recovery_started, "d7ecec76ecc403a0", "called before the changelogs are resumed"),
    Inner(Recovery._wait, "beac4f5e3e986d9b", "a time-out looks like a stop"),
    Inner(
        Recovery.on_recovery_completed,
        "2835f40bae1d8c71",
        "flow stopped before it; it seeks, then empties queues, then resumes",
    ),
    Inner(
        Recovery.on_rebalance,
        "f35254bedcebd386",
        "active_tps and active_offsets are those of the new assignment",
    ),
    Inner(
        TableManager.on_rebalance,
        "adc79c5ca296bb0d",
        "stores of what was revoked are closed when it returns; newly assigned ones are opened by it",
    ),
    Inner(_getter(TableManager, "recovery"), "4d92f310addbe05b", "made once, with these arguments"),
    # Replaced by the application.
    Inner(App.on_first_start, "665b9ec9bc06d3e4", "makes the data directory"),
    Inner(App.on_stop, "7bf3136e60cf497b", "the consumer ends here, after its transactions"),
    Inner(
        App._on_partitions_revoked, "99aa6ba163476c6f", "stops the flow, empties the queues, then wait_empty"
    ),
    Inner(Service._crash, "9aba764dfbfb3246", "called for every failure of a service below the app"),
    Inner(FlowControlEvent.resume, "058be0f33dfcdeee", "empties the queues"),
    # Used by the store.
    Inner(RocksDBOptions.as_options, "f97f20b929046a5f", "what StoreOptions says again"),
    Inner(Store._db_for_partition, "c8aff19aef61afd0", "opens the partition's database when it is not"),
    Inner(Store._visible_items, "9b5dbc11325236a7", "all items but the offset"),
    Inner(
        Store.persisted_offset, "0a366211daed6bc3", "reads what PartitionStore.write puts under offset_key"
    ),
    Inner(Store.set_persisted_offset, "8c7d98be9cd3d822", "the format that PartitionStore.write repeats"),
    Inner(Store.revoke_partitions, "ff8a7f588fe8b9f4", "closes databases by dropping the last reference"),
    # aiokafka.
    Inner(
        AIOKafkaConsumer.seek_to_committed,
        "1e28ff0b07d7ea1d",
        "leaves partitions without a committed offset alone",
    ),
    Inner(
        Fetcher.fetched_records,
        "6432ce7f8eab840c",
        "an empty set means all partitions; timeout 0 does not wait",
    ),
    Inner(FetchResult.getall, "cad8ce912d89c1e1", "the position moves with what is returned"),
    Inner(
        PartitionRecords._unpack_records,
        "a2153689239f3325",
        "markers and aborted records move the position only",
    ),
    Inner(
        Fetcher._proc_fetch_request,
        "51e66543d787a186",
        "reads through its module's MemoryRecords, which FetchedBatches replaces",
    ),
    Inner(
        PartitionRecords._contains_abort_marker,
        "6463d35ed4c27bef",
        "takes the next record of a batch of markers",
    ),
    Inner(_MemoryRecordsPy.next_batch, "d19f764c77ec2dcf", "which class reads which batch"),
    Inner(_MemoryRecordsPy._cache_next, "5c43fe30908f558e", "where a batch ends"),
    Inner(_DefaultRecordBatchPy._maybe_uncompress, "53a33d3fe08dda0e", "the codecs that decompress knows"),
    Inner(
        _DefaultRecordBatchPy._read_msg,
        "1a125cf8da3f189a",
        "a record's parts, read again where a name is not UTF-8",
    ),
    Inner(
        _getter(TopicPartitionState, "position"),
        "d0d95fb579296067",
        "read from another thread, without waiting",
    ),
    Inner(
        AIOKafkaProducer.send_batch, "343edc615192d17f", "does not yield to the loop when metadata is known"
    ),
    Inner(AIOKafkaProducer.send_offsets_to_transaction, "e0ef841647a1e127", "may run beside the sends"),
    Inner(
        GroupCoordinator._do_fetch_commit_offsets,
        "f156469469a04999",
        "ignores the group's error, hence our own reading at take-over",
    ),
    Inner(
        AIOKafkaAdminClient._send_request, "835509db66cec91a", "returns the answer with its error unchecked"
    ),
    Inner(
        BatchBuilder.append,
        "0cea41147d44e9e0",
        "None when full; a first record of any size fits; headers are a list",
    ),
    Inner(
        MessageAccumulator.add_batch, "fbd44632605b4630", "waits for a partition's earlier batch to be taken"
    ),
]


def _name(inner: Inner) -> str:
    return f"{inner.function.__module__}.{inner.function.__qualname__}"


@pytest.mark.parametrize("inner", INNER, ids=_name)
def test_inner_method_is_the_one_that_was_read(inner: Inner) -> None:
    source = inspect.getsource(inner.function)
    digest = hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    assert digest == inner.digest, (
        f"{_name(inner)} has changed in the installed version. The worker relies on: {inner.review}. "
        f"Review the override, then set the digest to {digest}."
    )


@pytest.mark.parametrize(
    "owner",
    [
        BatchConsumer,
        ReadCommittedThread,
        PositionRecovery,
        PositionTableManager,
        StreamingApp,
        StreamingWorker,
    ],
)
def test_every_override_is_listed(owner: type) -> None:
    listed = {inner.function.__name__ for inner in INNER}
    inherited = {
        name for base in owner.__mro__[1:] for name, member in vars(base).items() if _has_code(member)
    }
    overrides = {name for name, member in vars(owner).items() if name in inherited and _has_code(member)}
    assert overrides
    assert overrides <= listed


def _has_code(member: object) -> bool:
    return inspect.isfunction(member) or isinstance(member, property)
