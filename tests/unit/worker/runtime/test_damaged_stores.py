"""Real stores on disk, damaged: a worker deletes them, and keeps those that are only locked or in use."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from streamer.worker.runtime.stores.damaged_stores import delete_damaged
from streamer.worker.runtime.stores.store import PartitionStore
from tests.unit.worker.runtime.test_local_stores import Stores

USERS = {f"u{number}".encode(): random.Random(number).randbytes(400) for number in range(2_000)}


def written(directory: Path) -> Path:
    """A closed store on disk; returns the folder of partition 1."""
    stores = Stores(directory)
    stores.partitions.write(1, USERS.items(), 7, 0)
    stores.rocksdb._db_for_partition(1).flush()
    folder = stores.folder(1)
    stores.close()
    return folder


def overwrite(file: Path, share: float) -> None:
    with file.open("r+b") as damaged:
        damaged.seek(int(file.stat().st_size * share))
        damaged.write(bytes(random.Random(1).randbytes(32)))


def contents(store: PartitionStore) -> dict[bytes, bytes]:
    return dict(store.items(1))


@pytest.mark.parametrize("pattern", ["CURRENT", "MANIFEST-*"])
def test_a_store_that_cannot_be_opened_is_deleted(tmp_path: Path, pattern: str) -> None:
    (file,) = written(tmp_path).glob(pattern)
    overwrite(file, 0.0)
    stores = Stores(tmp_path)
    delete_damaged(stores.rocksdb, [0, 1])
    assert contents(stores.partitions) == {}
    stores.close()


def test_a_store_with_a_file_missing_is_deleted(tmp_path: Path) -> None:
    (file,) = written(tmp_path).glob("*.sst")
    file.unlink()
    stores = Stores(tmp_path)
    delete_damaged(stores.rocksdb, [1])
    assert contents(stores.partitions) == {}
    stores.close()


def test_damage_found_while_reading_is_known_at_the_next_start(tmp_path: Path) -> None:
    (file,) = written(tmp_path).glob("*.sst")
    overwrite(file, 0.3)
    found = Stores(tmp_path)
    delete_damaged(found.rocksdb, [1])
    with pytest.raises(Exception, match="Corruption"):
        contents(found.partitions)
    found.close()
    stores = Stores(tmp_path)
    delete_damaged(stores.rocksdb, [1])
    assert contents(stores.partitions) == {}
    delete_damaged(stores.rocksdb, [1])
    assert contents(stores.partitions) == {}
    stores.close()


def test_a_key_that_cannot_be_read_is_noted_as_well(tmp_path: Path) -> None:
    (file,) = written(tmp_path).glob("*.sst")
    overwrite(file, 0.3)
    found = Stores(tmp_path)
    read = found.partitions.reader(1)
    with pytest.raises(Exception, match="Corruption"):
        list(map(read, USERS))
    assert [note.name for note in found.folder(1).parent.glob("*.damaged")] == ["users-1.damaged"]
    found.close()


def test_what_is_right_or_in_use_is_kept(tmp_path: Path) -> None:
    written(tmp_path)
    one, other = Stores(tmp_path), Stores(tmp_path)
    delete_damaged(one.rocksdb, [1])
    delete_damaged(other.rocksdb, [1])
    assert contents(one.partitions) == USERS
    one.close()
