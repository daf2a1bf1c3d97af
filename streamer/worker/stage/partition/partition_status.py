"""What a partition's owner says of it beside each committed offset, as compact JSON of bounded size.

Kafka keeps a string with every committed offset (``offset.metadata.max.bytes``, 4,096 by default). It is
committed in the same transaction as the batch, so the counts in it are exact whatever happens to the worker.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import StateError
from streamer.core.engine.trial_comparison import TrialComparison
from streamer.worker.stage.partition.counters import Counters, bounded, printable
from streamer.worker.stage.partition.partition_record import SourceTopics, TakenUp
from streamer.worker.stage.partition.recent_reads import RecentReads
from streamer.worker.stage.partition.user_places import UserPlaces

MOST_BYTES: Final = 4_000
"""No status is longer; a broker takes 4,096 by default."""

SHA256_CHARACTERS: Final = 12
_TEXT_CHARACTERS: Final = 48
_MOST_PROVIDERS: Final = 4
REFUSAL_CHARACTERS: Final = 300


class WorkerIdentity(msgspec.Struct, frozen=True):
    """Which worker speaks, and what it works with; nothing of it changes while it runs.

    ``name``: its instance id, or host and process id. ``model_sha256`` and ``policy_sha256``: their first
    hexadecimal digits. ``providers``: the execution providers that its ONNX sessions really use.
    """

    name: str
    host: str
    pid: int
    mode: str
    model: str
    model_version: str
    model_sha256: str
    policy_sha256: str
    providers: tuple[str, ...]


def worker_identity(
    *,
    instance_id: str | None,
    host: str,
    pid: int,
    mode: str,
    model: str,
    model_version: str,
    model_sha256: str,
    policy_sha256: str,
    providers: tuple[str, ...],
) -> WorkerIdentity:
    """The identity with every text cut to what fits beside an offset."""
    host = printable(host, _TEXT_CHARACTERS)
    return WorkerIdentity(
        worker_name(instance_id) if instance_id else f"{host}:{pid}",
        host,
        pid,
        printable(mode, _TEXT_CHARACTERS),
        printable(model, _TEXT_CHARACTERS),
        printable(model_version, _TEXT_CHARACTERS),
        printable(model_sha256, SHA256_CHARACTERS),
        printable(policy_sha256, SHA256_CHARACTERS),
        tuple(printable(provider, _TEXT_CHARACTERS) for provider in providers[:_MOST_PROVIDERS]),
    )


def worker_name(instance_id: str) -> str:
    """An instance id as statuses name it."""
    return printable(instance_id, _TEXT_CHARACTERS)


class SourceStatus(msgspec.Struct, frozen=True):
    """The source of events as the worker sees it over all its partitions.

    ``quiet_since_ms``: when records last arrived, wall time. ``patience_ms``: how long it may be quiet.
    ``down``: it has been quiet for longer, so decisions wait.
    """

    quiet_since_ms: int
    patience_ms: int
    down: bool


class TrialStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bundle on trial in a partition. ``sha256``: its first hexadecimal digits.

    ``refusal``: why the worker does not score with it. ``compared``: its scores beside those sent; ``None``
    while it is loaded.
    """

    sha256: str
    refusal: str = ""
    compared: TrialComparison | None = None


class PartitionStatus(msgspec.Struct, frozen=True, tag=1, tag_field="format"):
    """What is said of one partition. Fields may be added; another format is not read.

    ``said_ms``: wall time. ``clock_ms``: the partition's clock, ``None`` before its first event.
    ``held``: raises wait, because the partition lags. ``source``: ``None`` where wall time does not count.
    ``topics``: those that what was read comes from; ``None`` where they are not known. ``model``: since when
    the worker's model scores here. ``trial``: the bundle beside it. ``places``: of the users who have a state
    here. ``recent``: what became of the records read last; ``None`` before the first one.
    """

    said_ms: int
    worker: WorkerIdentity
    counters: Counters
    clock_ms: int | None = None
    held: bool = False
    source: SourceStatus | None = None
    topics: SourceTopics | None = None
    model: TakenUp | None = None
    trial: TrialStatus | None = None
    places: UserPlaces | None = None
    recent: RecentReads | None = None


def encode_status(status: PartitionStatus) -> str:
    """JSON of at most :data:`MOST_BYTES` bytes; what was seen lately goes where it does not fit."""
    short = msgspec.structs.replace(status, counters=bounded(status.counters))
    encoded = msgspec.json.encode(short)
    if len(encoded) > MOST_BYTES:
        counters = msgspec.structs.replace(short.counters, spellings={})
        encoded = msgspec.json.encode(msgspec.structs.replace(short, counters=counters, recent=None))
    return encoded.decode()


def decode_status(text: str) -> PartitionStatus | None:
    """What was said; ``None`` where nothing was. Raises :class:`StateError` for anything else."""
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=PartitionStatus)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise StateError(
            f"the status beside a committed offset cannot be read ({error}): another program has committed "
            "for this group, or a newer version; its counts start again from nothing"
        ) from error
