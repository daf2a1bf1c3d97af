"""The stores on this machine: none stays that nobody needs, and what was erased leaves their files.

A deleted key stays in RocksDB's files until they are rewritten. So a store in which users were erased is
compacted as a whole, by RocksDB's own threads, and opened again, which starts a manifest that no longer tells
the first and last keys of former files.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path
from time import monotonic
from typing import Final

import rocksdict
import structlog
from faust.stores.rocksdb import Store

from streamer.kafka.topics import TABLE_NAME

log = structlog.get_logger(__name__)

LEAST_PAUSE_S: Final = 10.0
LOOK_EVERY_S: Final = 0.1
PAUSE_PER_WORK: Final = 19.0
"""Compacting takes a twentieth of the time at most."""


def note_erasure(store: Store, partition: int) -> None:
    """Remember, also over a kill, that ``partition`` holds deleted users in its files."""
    _note_of(store.partition_path(partition)).touch()


def keep_only(store: Store, partitions: Collection[int]) -> None:
    """Delete all stores but those of ``partitions``: somebody else's now, and erasures would pass them by."""
    kept = {store.partition_path(partition) for partition in partitions}
    for folder in store.partition_path(0).parent.glob(f"{TABLE_NAME}-*.db"):
        if folder not in kept:
            log.info("local store deleted: the partition is elsewhere", store=folder.name)
            delete_store(folder)


class ErasedFiles:
    """Compacts the open stores in which users were erased, one after the other, at a pace."""

    def __init__(self) -> None:
        self._next_at = 0.0

    async def compact_due(self, store: Store) -> None:
        """Compact each store that needs it, unless the last round has not been long enough ago."""
        if monotonic() < self._next_at:
            return
        started = monotonic()
        # Numbers, not databases: a reference kept here would hold the lock of a partition given up meanwhile.
        for partition in list(store._dbs):
            note = _note_of(store.partition_path(partition))
            if note.exists() and partition in store._dbs:
                noted_ns = note.stat().st_mtime_ns
                if not await _compacted(store, partition):
                    continue
                _reopen(store, partition)
                if note.stat().st_mtime_ns == noted_ns:
                    note.unlink()
                log.info("store compacted after an erasure", partition=partition)
        took = monotonic() - started
        self._next_at = monotonic() + max(LEAST_PAUSE_S, PAUSE_PER_WORK * took)


async def _compacted(store: Store, partition: int) -> bool:
    """Compact a store; ended early, and false, where Faust gives the partition up.

    Whoever gets the partition back cannot open its store as long as this one is at work.
    """
    database = store._dbs[partition]
    work = asyncio.create_task(asyncio.to_thread(_compact, database))
    try:
        while not work.done() and store._dbs.get(partition) is database:
            await asyncio.wait([work], timeout=LOOK_EVERY_S)
    finally:
        if not work.done():
            database.cancel_all_background(wait=False)
    await work
    return store._dbs.get(partition) is database


def _reopen(store: Store, partition: int) -> None:
    database = store._dbs.pop(partition)
    # What was written meanwhile is in no file yet: the store has no log of its own.
    database.flush()
    database.close()
    store._db_for_partition(partition)


def _compact(database: rocksdict.Rdict) -> None:
    options = rocksdict.CompactOptions()
    # Else files that are on the last level already are left as they are, deleted keys and all.
    options.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    database.compact_range(None, None, options)


def delete_store(folder: Path) -> None:
    """Delete the closed store in ``folder``, and what was noted of it."""
    shutil.rmtree(folder)
    _note_of(folder).unlink(missing_ok=True)


def _note_of(folder: Path) -> Path:
    return folder.with_suffix(".erased")
