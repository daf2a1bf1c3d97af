"""The folder of a worker's local state: its own, for as long as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from schemas.errors import ConfigurationError
from streamer.processes.file_lock import take_lock

log = structlog.get_logger(__name__)

LOCK_FILE: Final = "worker.lock"
FOR_OTHERS: Final = 0o007
"""Permissions of users who are neither the owner nor of the group, which an orchestrator may need."""


@contextmanager
def own_data_folder(folder: Path) -> Iterator[None]:
    """Make ``folder`` if need be, for its owner alone, and keep other workers out of it meanwhile.

    A second worker would delete the first one's open stores, as those of partitions that it does not have.
    Raises :class:`ConfigurationError` where another process has it, or where it cannot be written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("ab")
    except OSError as error:
        raise _unusable(folder, error) from error
    with lock:
        try:
            taken = take_lock(lock)
            permissions = folder.stat().st_mode
        except OSError as error:
            raise _unusable(folder, error) from error
        if not taken:
            raise ConfigurationError(
                f"data_dir: another worker runs in the folder {folder}: give each worker a "
                "STREAMER_DATA_DIR of its own"
            )
        if permissions & FOR_OTHERS:
            log.warning(
                "others on this machine have access to the users' states: take it from them with chmod o-rwx",
                folder=str(folder),
            )
        yield


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"data_dir: the folder {folder} cannot be written to ({error.strerror}): make it writable for this "
        "worker, or name another with STREAMER_DATA_DIR"
    )
