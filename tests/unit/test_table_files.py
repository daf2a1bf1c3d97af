"""The reader of RocksDB's files finds all that lies in them, deleted or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import rocksdict

from streamer.worker.runtime.stores.store import ROCKSDB_OPTIONS, StoreOptions
from tests.table_files import entries_of, files_with


def database(folder: Path) -> rocksdict.Rdict:
    options = StoreOptions(**cast(dict[str, Any], ROCKSDB_OPTIONS), use_rocksdict=True).as_options()
    options.set_disable_auto_compactions(True)
    return rocksdict.Rdict(str(folder), options)


def test_all_keys_and_values_are_read_from_compressed_blocks(tmp_path: Path) -> None:
    written = {f"shopper-{n:06}".encode(): f"{n} ".encode() * 400 for n in range(2000)}
    store = database(tmp_path)
    for key, value in written.items():
        store[key] = value
    store.flush()
    (file,) = tmp_path.glob("*.sst")
    assert file.stat().st_size < sum(map(len, written.values())) / 4, "nothing was compressed"
    assert dict(entries_of(file.read_bytes())) == written
    store.close()


def test_a_deleted_user_is_found_until_the_files_are_rewritten(tmp_path: Path) -> None:
    gone, kept = b"shopper-000700", b"shopper-000701"
    store = database(tmp_path)
    for n in range(1000):
        store[f"shopper-{n:06}".encode()] = b"some state " * 100
    store.flush()
    del store[gone]
    store.flush()
    assert store.get(gone) is None
    assert {text for _, text in files_with(tmp_path, (gone, kept))} == {gone, kept}
    assert sum(text == gone for _, text in files_with(tmp_path, (gone,))) >= 2, (
        "the deletion is an entry, too"
    )

    options = rocksdict.CompactOptions()
    options.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    store.compact_range(None, None, options)
    store.close()
    database(tmp_path).close()  # else the manifest tells the first and last keys of former files
    assert {text for _, text in files_with(tmp_path, (gone, kept))} == {kept}
