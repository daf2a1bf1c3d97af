"""A disk of its own for a worker's store, small enough to be filled; or what comes nearest to one."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

SIZE_MIB = 160
CHUNK = bytes(1 << 20)


class SmallDisk:
    """A tmpfs mounted at ``directory``, where that is allowed.

    Elsewhere a full disk is a process that may not write into a file beyond what it has: the kernel then
    refuses its writes as too large, which a store must take as it takes a full disk.
    """

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self._directory = directory
        directory.mkdir(parents=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(directory)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.is_mounted = mounted.returncode == 0
        if not self.is_mounted:
            say(
                f"no disk can be mounted here ({mounted.stderr.strip()}): a limit of file sizes stands for it"
            )

    @contextlib.contextmanager
    def full(self, process: subprocess.Popen[bytes] | None) -> Iterator[None]:
        """No room for the length of a block; ``process``: whose store lies here."""
        if not self.is_mounted:
            if process is not None:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            yield
            return
        filler = self._directory / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                _fill(file.fileno())
            yield
        finally:
            filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Give the disk back."""
        if self.is_mounted:
            subprocess.run(["umount", str(self._directory)], check=True)


def _fill(file: int) -> None:
    """Write until not a byte has room."""
    size = len(CHUNK)
    while size:
        try:
            os.write(file, CHUNK[:size])
        except OSError:
            size //= 2
