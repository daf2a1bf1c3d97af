"""The worker as a child process: ``streamer worker`` with its settings in the environment."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from schemas.errors import ChurnStreamerError
from streamer.broker.orphan_guard import OrphanGuard
from streamer.settings import ENVIRONMENT_PREFIX, Settings

STOP_DEADLINE_S = 10.0
LAST_LOG_LINES = 12


class WorkerEndedError(ChurnStreamerError):
    """The worker ended while it was still needed."""


class WorkerProcess:
    """One worker; its log goes to ``log_file``, its working directory is ``directory``."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.log_file = directory / "worker.log"
        self._settings = settings
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self._guard: OrphanGuard | None = None

    async def start(self) -> None:
        """Start the process; it is ready once it commits."""
        with self.log_file.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "from streamer.cli import main; main()",
                "worker",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env=_environment(self._settings, self._directory),
                start_new_session=True,  # The terminal's Ctrl-C is ours to handle, in order.
            )
        self._guard = OrphanGuard(self._process.pid)

    async def watch(self) -> None:
        """Raise :class:`WorkerEndedError` as soon as the worker ends by itself."""
        assert self._process is not None, "start comes first"
        status = await self._process.wait()
        raise WorkerEndedError(
            f"the worker ended with status {status} before its work was done. Its last log lines:\n"
            f"{last_lines(self.log_file)}"
        )

    def peak_rss_mb(self) -> float | None:
        """The most memory that the running worker has had resident, where the system tells (Linux)."""
        if self._process is None:
            return None
        with suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return round(int(line.split()[1]) / 1024, 1)
        return None

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        if self._process is None:
            return
        try:
            with suppress(ProcessLookupError):
                self._process.terminate()
            async with asyncio.timeout(STOP_DEADLINE_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
            await self._process.wait()
            self._process = None

    def kill(self) -> None:
        """SIGKILL, without waiting."""
        if self._guard is not None:
            self._guard.release()
            self._guard = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()


def last_lines(log_file: Path) -> str:
    """The end of a log, indented."""
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return "\n".join(f"  {line}" for line in lines[-LAST_LOG_LINES:]) or "  (none)"


def _environment(settings: Settings, directory: Path) -> dict[str, str]:
    """This process's environment with ``settings`` alone deciding how the worker runs.

    What the worker leaves in its temporary directory goes with ``directory``.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    }
    environment["TMPDIR"] = str(directory)
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if value is not None:
            environment[ENVIRONMENT_PREFIX + name.upper()] = str(value)
    return environment
