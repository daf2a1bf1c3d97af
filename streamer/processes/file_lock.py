"""Locks of files that end with their process, as Kafka takes them as well."""

from __future__ import annotations

import fcntl
from typing import IO


def take_lock(file: IO[bytes]) -> bool:
    """Lock ``file``, open for writing, until it is closed; false where another process holds the lock.

    Raises ``OSError`` where the file system has no locks.
    """
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
