"""Whether a broker runs on a data directory, told by the lock that Kafka itself takes there."""

from __future__ import annotations

from pathlib import Path

from streamer.processes.file_lock import take_lock


def is_in_use(log_directory: Path) -> bool:
    """Whether another process holds Kafka's lock of ``log_directory``.

    A second broker looks for that lock only after it has read, and perhaps repaired, the first one's logs.
    """
    try:
        with (log_directory / ".lock").open("r+b") as lock:
            return not take_lock(lock)
    except OSError:
        # Nothing there, or nothing that can be written: starting says what is wrong with that.
        return False
