"""Faust's RocksDB store, addressed by partition instead of by the event being processed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import rocksdict
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.tables import Table
from faust.types import CollectionT

from streamer.core.erasure import is_mark
from streamer.worker.runtime.stores.damaged_stores import note_damage
from streamer.worker.runtime.stores.local_stores import note_erasure
from streamer.worker.runtime.stores.store_origin import OF_THE_STORE, WITHOUT_LOG, put_followed

# Faust's defaults (2 GiB of block cache and 192 MiB of write buffers for each partition) are for a
# machine of its own. Here the stage holds what is hot, so each partition gets 48 MiB at most.
ROCKSDB_OPTIONS: Mapping[str, object] = {
    "driver": "rocksdict",
    "block_cache_size": 16 * 1024 * 1024,
    "write_buffer_size": 16 * 1024 * 1024,
    "max_write_buffer_number": 2,
    "target_file_size_base": 32 * 1024 * 1024,
    "max_open_files": 256,
}


# A state is some 2.4 KB: blocks of Faust's 4 KiB hold one, and compress by 16 %; of these, by 19 %.
BLOCK_BYTES = 16 * 1024


class StoreOptions(RocksDBOptions):
    """Faust's options with blocks of ``BLOCK_BYTES``."""

    def as_options(self) -> rocksdict.Options:
        options = super().as_options()
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_block_size(BLOCK_BYTES)
        # The rest is as Faust has it, whose blocks cannot be had from its options.
        blocks.set_bloom_filter(self.bloom_filter_size, block_based=True)
        blocks.set_block_cache(rocksdict.Cache(self.block_cache_size))
        blocks.set_index_type(rocksdict.BlockBasedIndexType.binary_search())
        options.set_block_based_table_factory(blocks)
        return options


class PartitionStore:
    """The table's partitions on this machine.

    A write and the changelog offset that it brings the partition to are one atomic RocksDB write, so
    after a kill the stored offset never claims more than is stored, and recovery reads the rest from
    the changelog. Databases are looked up on each call: a reference kept here would hold RocksDB's
    lock after Faust has given the partition up.
    """

    def __init__(self, table: CollectionT) -> None:
        self._table = table

    @property
    def _store(self) -> Store:
        return rocksdb_of(self._table)

    def reader(self, partition: int) -> Callable[[bytes], bytes | None]:
        """A function that reads a key of ``partition``; not to be kept beyond one batch."""
        store = self._store
        get = store._db_for_partition(partition).get

        def read(key: bytes) -> bytes | None:
            try:
                return get(key)
            except Exception as error:
                note_damage(store, partition, error)
                raise

        return read

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values of ``partition``."""
        store = self._store
        try:
            # Python's iteration over the database takes a damaged file for the end of the table.
            found = store._db_for_partition(partition).iter()
            found.seek_to_first()
            while found.valid():
                if (key := found.key()) not in OF_THE_STORE:
                    yield key, found.value()
                found.next()
            found.status()
        except Exception as error:
            note_damage(store, partition, error)
            raise

    def write(
        self,
        partition: int,
        entries: Iterable[tuple[bytes, bytes | None]],
        changelog_offset: int | None,
        followed_ms: int,
        *,
        restoring: bool = False,
    ) -> None:
        """Write ``entries`` (``None`` deletes), which reach up to ``changelog_offset``.

        An offset of ``None`` leaves the stored one: recovery then reads these entries once more.
        ``followed_ms``: epoch milliseconds; with them the store has all that the changelog had then.
        ``restoring``: they are cut anywhere, also between an erased user's mark and deletion.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        marked, deleted = False, restoring
        for key, value in entries:
            if value is None:
                batch.delete(key)
                deleted = True
            else:
                batch.put(key, value)
                marked = marked or is_mark(key)
        store = self._store
        if marked and deleted:
            # Before the deletion itself, or a kill in between would leave the user in the files.
            note_erasure(store, partition)
        if changelog_offset is not None:
            batch.put(store.offset_key, str(changelog_offset).encode())
        database = store._db_for_partition(partition)
        put_followed(batch, database, followed_ms)
        database.write(batch, WITHOUT_LOG)


def use_larger_blocks(table: CollectionT) -> None:
    """Have the table's databases, none of which is open yet, written in blocks of ``BLOCK_BYTES``."""
    store = rocksdb_of(table)
    assert not store._dbs
    store.rocksdb_options = StoreOptions(**cast(dict[str, Any], store.options), use_rocksdict=True)


def rocksdb_of(table: CollectionT) -> Store:
    """Faust's store behind a table."""
    store = cast(Table, table).data
    assert isinstance(store, Store)
    return store
