"""The worker and its peers brought to the start of one workload: topics, pasts, processes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from schemas.bundle.manifest import MANIFEST_NAME, decode_manifest
from streamer.bench.contest.contestant import Contestant, peer_process
from streamer.bench.input.order import order_of
from streamer.bench.input.prepared import Prepared
from streamer.bench.input.shop import Till
from streamer.bench.input.sizes import PeerName, Sizes, WorkloadName
from streamer.inference.key_values.arena_size import least_arena_mb
from streamer.kafka.connection import connection_of
from streamer.kafka.publishing import replay
from streamer.kafka.topics import changelog_topic, create_missing_topics
from streamer.processes.child import worker_process
from streamer.settings.settings import Settings

SEED = 6


async def worker_contestant(
    workload: WorkloadName, sizes: Sizes, settings: Settings, prepared: Prepared, directory: Path
) -> Contestant:
    """The worker, not started; its users are in its changelog, in its own encoding."""
    size = sizes.workloads[workload]
    found = await _contestant("worker", workload, sizes, settings, directory, size.arena_users)
    records = prepared.worker_records(size.users, SEED)
    await replay(connection_of(settings), changelog_topic(found.settings.group_id), records)
    return found


async def peer_contestant(
    name: PeerName,
    workload: WorkloadName,
    sizes: Sizes,
    settings: Settings,
    prepared: Prepared,
    directory: Path,
) -> Contestant:
    """A peer, not started; its users' pasts are the first records of its events topic."""
    found = await _contestant(name, workload, sizes, settings, directory, arena_users=1)
    records = prepared.peer_records(found.users, SEED)
    progress = await replay(connection_of(settings), found.events_topic, records)
    found.primed = progress.records
    return found


async def _contestant(
    name: Literal["worker"] | PeerName,
    workload: WorkloadName,
    sizes: Sizes,
    common: Settings,
    directory: Path,
    arena_users: int,
) -> Contestant:
    size = sizes.workloads[workload]
    own = directory / f"{workload}-{name}"
    own.mkdir()
    assert common.bundle is not None
    file = common.bundle / MANIFEST_NAME
    manifest = decode_manifest(file.read_bytes(), str(file))
    settings = Settings(
        bootstrap=common.bootstrap,
        bundle=common.bundle,
        topic_prefix=f"bench.{workload}.{name}.",
        application_id=f"bench-{workload}-{name}",
        partitions=sizes.partitions,
        data_dir=own / "state",
        mode="event-time",
        cache_users=arena_users,
        arena_mb=least_arena_mb(manifest, common.arena_precision, arena_users),
    )
    await create_missing_topics(settings)
    if name == "worker":
        users, events, process = size.users, size.events, worker_process(settings, own)
    else:
        users, events = min(size.users, size.peer_users), sizes.peer_events[name]
        process = peer_process(name, settings, own, common.bundle)
    return Contestant(
        name=name,
        settings=settings,
        process=process,
        order=order_of(workload, users, sizes.at_once, SEED),
        till=Till(np.random.default_rng(SEED)),
        events=events,
        users=users,
        # Faust and Quix Streams commit every few seconds only; both say one score for each event.
        done_by="scores" if name in ("faust", "quix") else "commits",
    )
