"""How many users an arena holds, and whether it fits a batch and the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from schemas.bundle.manifest import ArenaPrecision, Manifest
from schemas.errors import ConfigurationError
from streamer.inference.graphs.arena import slot_bytes
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.inference.key_values.arena_cache import STEP_BUCKETS

_MIB: Final = 1 << 20
_LIMIT_FILE: Final = Path("/sys/fs/cgroup/memory.max")


def arena_users(bundle: Bundle, arena_mb: int, memory: int | None = None) -> int:
    """Users that ``arena_mb`` MiB hold, beside the slot of nobody.

    ``memory``: bytes that the machine has, by default those of this one. Raises ``ConfigurationError`` where
    the arena is smaller than a batch, or larger than the memory that it would lie in.
    """
    graphs = bundle.transformer
    batch = STEP_BUCKETS[graphs.device][-1]
    users = arena_mb * _MIB // slot_bytes(bundle.manifest, graphs.precision) - 1
    if users < batch:
        raise ConfigurationError(
            f"arena_mb: {arena_mb} MiB hold the keys and values of {max(users, 0)} users in "
            f"{graphs.precision}, fewer than a batch of {batch:,} on {graphs.device}: set at least "
            f"{least_arena_mb(bundle.manifest, graphs.precision, batch)}"
        )
    memory = memory_bytes() if memory is None else memory
    if graphs.device == "cpu" and arena_mb * _MIB > memory:
        raise ConfigurationError(
            f"arena_mb: {arena_mb} MiB are more memory than this machine has, {memory // _MIB} MiB: set "
            "less, and leave room for the users' states"
        )
    return users


def least_arena_mb(manifest: Manifest, precision: ArenaPrecision, users: int) -> int:
    """The smallest arena, in MiB, that holds ``users``."""
    return -(-(users + 1) * slot_bytes(manifest, precision) // _MIB)


def memory_bytes(limit_file: Path = _LIMIT_FILE) -> int:
    """The machine's memory, or the container's where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = limit_file.read_text().strip()
    except OSError:  # no container, or one of another kind
        return machine
    return min(machine, int(limit)) if limit.isdecimal() else machine
