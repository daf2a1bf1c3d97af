"""Real stores on disk: one of another changelog, or one that may have missed deletions, is not used."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
import structlog

from streamer.core.erasure import is_mark
from streamer.worker.runtime.stores.store_origin import (
    FOLLOWED_KEY,
    OF_THE_STORE,
    ORIGIN_KEY,
    TRUSTED_MS,
    open_trusted,
    origin_of,
)
from tests.unit.worker.runtime.test_local_stores import Stores

OURS = origin_of("app-users-changelog", "id", 0)
HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def opened(directory: Path, origin: str = OURS) -> Stores:
    stores = Stores(directory)
    asyncio.run(open_trusted(stores.rocksdb, 0, origin))
    return stores


def users(stores: Stores) -> list[bytes]:
    return [key for key, _ in stores.partitions.items(0)]


def followed(stores: Stores) -> int:
    stored = stores.rocksdb._db_for_partition(0).get(FOLLOWED_KEY)
    assert stored is not None
    return int(stored)


def written(directory: Path, followed_ms: int) -> None:
    """A closed store of one user that has followed the changelog until ``followed_ms``."""
    stores = opened(directory)
    stores.rocksdb._db_for_partition(0)[FOLLOWED_KEY] = str(followed_ms).encode()
    stores.partitions.write(0, [(b"user", b"state")], 4, followed_ms)
    stores.close()


def test_a_store_that_follows_is_used_and_shows_none_of_its_own_keys(tmp_path: Path) -> None:
    written(tmp_path, now_ms())
    with structlog.testing.capture_logs() as logs:
        stores = opened(tmp_path)
    assert users(stores) == [b"user"]
    assert logs == []
    stores.close()


@pytest.mark.parametrize(
    "other",
    [
        origin_of("app-users-changelog", "created-anew-or-of-another-cluster", 0),
        origin_of("another-users-changelog", "id", 0),
        origin_of("app-users-changelog", "id", 1),
    ],
)
def test_a_store_of_another_changelog_is_deleted_and_said_so(tmp_path: Path, other: str) -> None:
    written(tmp_path, now_ms())
    with structlog.testing.capture_logs() as logs:
        stores = opened(tmp_path, other)
    assert users(stores) == []
    (said,) = logs
    assert "recovered from the changelog" in said["event"]
    assert OURS in said["reason"]
    stores.close()
    with structlog.testing.capture_logs() as logs:
        opened(tmp_path, other).close()
    assert logs == [], "what is begun anew is ours"


def test_a_store_that_says_nothing_of_itself_is_not_trusted(tmp_path: Path) -> None:
    stores = Stores(tmp_path)
    stores.rocksdb._db_for_partition(0)[b"user"] = b"state"
    stores.close()
    stores = opened(tmp_path)
    assert users(stores) == []
    stores.close()


@pytest.mark.parametrize("hours", [-30, TRUSTED_MS / HOUR_MS + 0.1, 30])
def test_a_store_that_may_have_missed_a_deletion_is_deleted_however_new_its_files_are(
    tmp_path: Path, hours: float
) -> None:
    written(tmp_path, now_ms() - round(hours * HOUR_MS))
    for file in Stores(tmp_path).folder(0).iterdir():
        os.utime(file)
    stores = opened(tmp_path)
    assert users(stores) == []
    stores.close()


def test_opening_a_store_or_restoring_what_is_old_does_not_renew_it(tmp_path: Path) -> None:
    before = now_ms() - 11 * HOUR_MS
    written(tmp_path, before)
    for _ in range(2):
        stores = opened(tmp_path)
        stores.partitions.write(0, [(b"other", b"state")], 5, before - HOUR_MS, restoring=True)
        assert followed(stores) == before
        stores.close()


def test_what_is_written_renews_it(tmp_path: Path) -> None:
    written(tmp_path, now_ms() - 11 * HOUR_MS)
    stores = opened(tmp_path)
    stores.partitions.write(0, [], None, committed_ms := now_ms())
    assert followed(stores) == committed_ms
    stores.close()


@pytest.mark.parametrize("key", [ORIGIN_KEY, FOLLOWED_KEY])
def test_the_keys_are_nobodys(key: bytes) -> None:
    assert key in OF_THE_STORE
    assert not is_mark(key)
    with pytest.raises(UnicodeDecodeError):
        key.decode()
