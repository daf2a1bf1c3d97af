"""Stores whose files are damaged: found when they are opened or read, deleted, and recovered as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog
from faust.stores.rocksdb import Store

log = structlog.get_logger(__name__)

SIGNS: Final = ("Corruption", "No such file", "checksum mismatch")
"""What RocksDB says of a damaged or incomplete store; a full disk or a lock is none of it."""


def delete_damaged(store: Store, partitions: Iterable[int]) -> None:
    """Delete those of these stores that cannot be opened, or that were found damaged when they were read.

    Their partitions are then recovered from the changelog as a whole.
    """
    for partition in partitions:
        folder = store.partition_path(partition)
        note = _note_of(folder)
        reason = note.read_text() if note.exists() else _damage(store, partition)
        if reason:
            log.error(
                "local store is damaged: recovered from the changelog", partition=partition, reason=reason
            )
            shutil.rmtree(folder, ignore_errors=True)
            note.unlink(missing_ok=True)


def note_damage(store: Store, partition: int, error: Exception) -> None:
    """If reading failed because the store is damaged, let the next start of the worker know."""
    if _is_damage(error):
        _note_of(store.partition_path(partition)).write_text(str(error))


def _damage(store: Store, partition: int) -> str:
    """What is wrong with the store's files as far as opening it tells; empty for nothing."""
    try:
        store._db_for_partition(partition)
    except Exception as error:
        # Anything else is Faust's to meet, which opens the store next.
        return str(error) if _is_damage(error) else ""
    return ""


def _is_damage(error: Exception) -> bool:
    return any(sign in str(error) for sign in SIGNS)


def _note_of(folder: Path) -> Path:
    return folder.with_suffix(".damaged")
