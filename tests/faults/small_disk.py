"""A disk of its own for a worker's store, small enough to be filled; or what comes nearest to one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

SIZE_MIB = 160
CHUNK = bytes(1 << 20)


class SmallDisk:
    """A tmpfs mounted at ``directory``, where that is allowed.

    Elsewhere a full disk is a directory in which nobody may create a file; root may, but root may mount too.
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
            said = mounted.stderr.strip()
            say(f"no disk can be mounted here ({said}): a directory that is closed stands for a full one")

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """No room for the length of a block."""
        filler = self._directory / "filler"
        folders = [self._directory, *(each for each in self._directory.rglob("*") if each.is_dir())]
        try:
            if self.is_mounted:
                with filler.open("wb", buffering=0) as file:
                    _fill(file.fileno())
            else:
                for folder in folders:
                    folder.chmod(0o500)
            yield
        finally:
            if self.is_mounted:
                filler.unlink(missing_ok=True)
            else:
                for folder in folders:
                    folder.chmod(0o700)

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
