"""How states lie on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from faust.stores.rocksdb import RocksDBOptions

from streamer.worker.runtime.stores.store import ROCKSDB_OPTIONS, StoreOptions

KINDS: tuple[type[RocksDBOptions], ...] = (StoreOptions, RocksDBOptions)
USERS = 500


def test_what_states_have_in_common_is_stored_less_often(tmp_path: Path) -> None:
    """Rings of 90 tokens each, of the 300 that the shop's customers have."""
    random = np.random.default_rng(0)
    tokens = random.integers(0, 256, (300, 26), np.uint8)
    states = [tokens[random.integers(0, len(tokens), 90)].tobytes() for _ in range(USERS)]
    options: dict[str, Any] = dict(ROCKSDB_OPTIONS)
    sizes: dict[type, int] = {}
    for kind in KINDS:
        database = kind(**options, use_rocksdict=True).open(tmp_path / kind.__name__)
        for user, state in enumerate(states):
            database[b"user-%d" % user] = state
        database.flush()
        assert [database[b"user-%d" % user] for user in range(USERS)] == states
        database.close()
        sizes[kind] = sum(file.stat().st_size for file in (tmp_path / kind.__name__).glob("*.sst"))
    assert sizes[StoreOptions] < 0.75 * sizes[RocksDBOptions]
