"""Real stores on disk: what is erased leaves their files, and none stays that should not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from faust.stores.rocksdb import Store

from streamer.core.erasure import ErasedUsers, Erasure
from streamer.kafka.connection import Connection
from streamer.worker.runtime.application import build_application
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.stores.local_stores import ErasedFiles, keep_only
from streamer.worker.runtime.stores.store import PartitionStore, rocksdb_of
from tests.unit.worker.runtime.test_recovery import IdleStage

USERS = [sha256(str(number).encode()).hexdigest()[:24].encode() for number in range(2_000)]
UNSHARED = 12
"""RocksDB leaves out what a key has in common with the one before it; these last bytes are always there."""

MARKS = ErasedUsers([b"key"]).marks([Erasure("shopper", 5)], {}.get)


class Stores:
    """Stores of a worker as it has them before it starts."""

    def __init__(self, directory: Path) -> None:
        options = WorkerOptions(Connection("localhost:1"), "app", "events", directory)
        app = build_application(options, IdleStage())
        app.conf.tabledir.mkdir(parents=True, exist_ok=True)
        app.finalize()
        self.table = app.tables["users"]
        self.rocksdb: Store = rocksdb_of(self.table)
        self.partitions = PartitionStore(self.table)

    def close(self) -> None:
        for database in self.rocksdb._dbs.values():
            database.close()
        self.rocksdb._dbs.clear()

    def folder(self, partition: int) -> Path:
        return self.rocksdb.partition_path(partition)

    def erase(self, partition: int, users: Iterable[bytes], *, restoring: bool = False) -> None:
        entries = [*MARKS.items(), *((user, None) for user in users)]
        self.partitions.write(partition, entries, 9, 0, restoring=restoring)

    def in_files(self, partition: int) -> set[bytes]:
        """Users whose ids occur in the partition's files."""
        contents = b"".join(file.read_bytes() for file in self.folder(partition).iterdir())
        return {user for user in USERS if user[-UNSHARED:] in contents}

    def notes(self) -> list[str]:
        return [path.name for path in self.folder(0).parent.glob("*.erased")]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Two partitions of users whose states RocksDB cannot compress."""
    made = Stores(tmp_path)
    for partition in (0, 1):
        made.partitions.write(partition, [(user, os.urandom(2_400)) for user in USERS], 1, 0)
        made.rocksdb._db_for_partition(partition).flush()
    return made


def test_compaction_leaves_nothing_of_the_erased_and_everything_of_the_others(stores: Stores) -> None:
    erased = {USERS[0], USERS[777], USERS[-1]}
    stores.erase(0, erased)
    assert erased <= stores.in_files(0)
    assert stores.notes() == ["users-0.erased"]
    asyncio.run(ErasedFiles().compact_due(stores.rocksdb))
    assert not erased & stores.in_files(0)
    assert stores.notes() == []
    assert {key for key, _ in stores.partitions.items(0)} == {*USERS, *MARKS} - erased
    assert erased <= stores.in_files(1), "only where somebody was erased"


def test_a_new_erasure_waits_for_its_turn_and_survives_until_then(stores: Stores) -> None:
    files = ErasedFiles()
    stores.erase(0, [USERS[5]])
    asyncio.run(files.compact_due(stores.rocksdb))
    stores.erase(1, [USERS[6]])
    asyncio.run(files.compact_due(stores.rocksdb))
    assert USERS[6] in stores.in_files(1)
    assert stores.notes() == ["users-1.erased"]
    asyncio.run(ErasedFiles().compact_due(stores.rocksdb))
    assert USERS[6] not in stores.in_files(1)


class Compacting:
    """A database at a compaction that lasts until it is told to end."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.ended = threading.Event()

    def compact_range(self, *_: object) -> None:
        assert self.ended.wait(30)

    def cancel_all_background(self, wait: bool) -> None:
        self.database.cancel_all_background(wait)
        self.ended.set()


def test_a_partition_that_comes_back_during_a_compaction_opens_its_store(stores: Stores) -> None:
    rocksdb, files = stores.rocksdb, ErasedFiles()
    stores.erase(0, [USERS[5]])
    stores.erase(1, [USERS[6]])

    async def given_up_meanwhile() -> None:
        rocksdb._dbs[0] = cast(Any, Compacting(rocksdb._dbs[0]))
        compaction = asyncio.create_task(files.compact_due(rocksdb))
        await asyncio.sleep(0)
        rocksdb._dbs.clear()
        # The one that is not at work is held by nobody.
        rocksdb._db_for_partition(1)
        await compaction
        rocksdb._db_for_partition(0)

    asyncio.run(given_up_meanwhile())
    assert "users-0.erased" in stores.notes(), "what was not compacted is left for the next time"
    asyncio.run(ErasedFiles().compact_due(rocksdb))
    assert stores.notes() == []
    assert USERS[5] not in stores.in_files(0)


def test_who_expires_is_left_to_rocksdb(stores: Stores) -> None:
    stores.partitions.write(0, [(USERS[3], None), (USERS[4], b"state")], 9, 0)
    stores.partitions.write(1, MARKS.items(), 9, 0)
    assert stores.notes() == []


def test_a_mark_restored_without_its_deletion_counts(stores: Stores) -> None:
    stores.erase(0, [], restoring=True)
    assert stores.notes() == ["users-0.erased"]


def test_only_the_stores_of_assigned_partitions_stay(stores: Stores) -> None:
    stores.erase(1, [USERS[0]])
    stores.rocksdb._dbs.clear()
    keep_only(stores.rocksdb, {0, 3})
    assert stores.folder(0).exists()
    assert not stores.folder(1).exists()
    assert stores.notes() == []
