"""What a local store says of itself: which changelog it is a copy of, and until when it has followed it.

Both lie inside the store, written together with its contents: a folder's name and the times of its files
say nothing of either, as opening a store renews its files.
"""

from __future__ import annotations

import time
from typing import Final

import rocksdict
import structlog
from faust.stores.rocksdb import Store

from schemas.units import HOUR_MS
from streamer.kafka.topics import DELETIONS_KEPT_MS
from streamer.worker.runtime.stores.damaged_stores import note_damage
from streamer.worker.runtime.stores.local_stores import delete_store

log = structlog.get_logger(__name__)

TRUSTED_MS: Final = DELETIONS_KEPT_MS // 2
"""A store that has followed its changelog for the last time longer ago is recovered as a whole.

A changelog forgets a deletion once it has kept it for a while: a store that missed it would keep an erased
user for ever. The other half of that time is for recovery.
"""

ORIGIN_KEY: Final = b"\xffstore-origin"
FOLLOWED_KEY: Final = b"\xffstore-followed"
"""Until this moment (epoch milliseconds) every deletion in the changelog is one in the store, or still to be
read there. No user has such keys, since user ids are UTF-8."""

OF_THE_STORE: Final = frozenset({Store.offset_key, ORIGIN_KEY, FOLLOWED_KEY})
"""Keys that are no part of the table."""


def origin_of(changelog: str, changelog_id: str, partition: int) -> str:
    """The one changelog partition that a store is a copy of.

    ``changelog``: its name, which begins with the application's; ``changelog_id``: no other topic has it, on
    whichever cluster, nor one of the same name that was created anew. Empty where nobody knows it.
    """
    return f"{changelog} {changelog_id} {partition}"


async def open_trusted(store: Store, partition: int, origin: str, generation_id: int = 0) -> None:
    """Open the store of ``partition``; an empty one in its place where it cannot be trusted.

    What is empty is recovered from the changelog as a whole.
    """
    database = await store._try_open_db_for_partition(partition, generation_id=generation_id)
    if database is None:
        return  # The next rebalance has come, and opens it.
    now_ms = time.time_ns() // 1_000_000
    try:
        reason = _reason_for_mistrust(database, origin, now_ms)
    except Exception as error:
        note_damage(store, partition, error)
        raise
    if reason:
        log.warning(
            "local store is deleted, and recovered from the changelog", partition=partition, reason=reason
        )
        database.close()
        del store._dbs[partition]
        delete_store(store.partition_path(partition))
        database = store._db_for_partition(partition)
    if database.get(ORIGIN_KEY) is None:
        # What is read from now on is deleted in the changelog from now on, if at all.
        batch = rocksdict.WriteBatch(raw_mode=True)
        batch.put(ORIGIN_KEY, origin.encode())
        batch.put(FOLLOWED_KEY, str(now_ms).encode())
        database.write(batch, WITHOUT_LOG)


def put_followed(batch: rocksdict.WriteBatch, database: rocksdict.Rdict, followed_ms: int) -> None:
    """Let ``batch`` bring the store to all that the changelog had at ``followed_ms``."""
    if followed_ms > int(database.get(FOLLOWED_KEY) or 0):
        batch.put(FOLLOWED_KEY, str(followed_ms).encode())


def _reason_for_mistrust(database: rocksdict.Rdict, origin: str, now_ms: int) -> str | None:
    stated, followed = database.get(ORIGIN_KEY), database.get(FOLLOWED_KEY)
    if stated is None or followed is None:
        return "it does not say which changelog it is a copy of" if _holds_anything(database) else None
    if stated != origin.encode():
        return f"it is a copy of another changelog: {stated.decode()}, and not {origin}"
    ago_ms = now_ms - int(followed)
    # A moment to come is that of a clock that was wrong.
    if abs(ago_ms) > TRUSTED_MS:
        hours = ago_ms / HOUR_MS
        return f"it followed the changelog {hours:.1f} hours ago, which may have forgotten deletions since"
    return None


def _holds_anything(database: rocksdict.Rdict) -> bool:
    found = database.iter()
    found.seek_to_first()
    holds = found.valid()
    found.status()
    return holds


def _without_log() -> rocksdict.WriteOptions:
    options = rocksdict.WriteOptions()
    options.disable_wal = True  # pyright: ignore[reportAttributeAccessIssue] - a property, which the stub has as a method
    return options


# The changelog is the log: after a kill the store is that of an earlier moment, and recovery reads the rest.
WITHOUT_LOG: Final = _without_log()
