"""End a child process when this process is gone, however that happened."""

from __future__ import annotations

import subprocess

# The guard waits for the end of its input, whose other end this process holds open: even SIGKILL
# closes it. Linux has PR_SET_PDEATHSIG for this, but that fires when the starting *thread* ends.
GUARD_SCRIPT = 'read -r _; kill -KILL "$1"'


class OrphanGuard:
    """Watches over one child; ``release`` it before the child's process id can be given to another."""

    def __init__(self, pid: int) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", GUARD_SCRIPT, "orphan-guard", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Out of reach of the terminal's Ctrl-C.
        )

    def release(self) -> None:
        """End the guard without ending the child."""
        self._process.kill()
        self._process.communicate()
