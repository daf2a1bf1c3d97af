"""A part of a larger command as a process of its own, which ends with it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from schemas.errors import ChurnStreamerError
from streamer.processes.orphan_guard import OrphanGuard
from streamer.settings.secret import Secret
from streamer.settings.settings import Settings
from streamer.settings.sources import ENVIRONMENT_PREFIX, without_settings

STOP_DEADLINE_S = 10.0
LAST_LOG_LINES = 12
WORKER = ("-c", "from streamer.cli import main; main()", "worker")
"""Arguments to the interpreter that make a worker, also where its script is not on the path."""


class ChildEndedError(ChurnStreamerError):
    """A process ended while it was still needed."""


class ChildProcess:
    """A Python process called ``name`` that works in ``directory``; its log is ``directory/name.log``."""

    def __init__(
        self, name: str, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        """``arguments``: to the interpreter. ``environment``: the whole of it."""
        self.name = name
        self.log_file = directory / f"{name}.log"
        self._arguments = arguments
        self._directory = directory
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._guard: OrphanGuard | None = None

    @property
    def pid(self) -> int:
        """Of the process, which has been started."""
        assert self._process is not None, "start comes first"
        return self._process.pid

    async def start(self) -> None:
        """Start the process."""
        with self.log_file.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env=self._environment,
                start_new_session=True,  # The terminal's Ctrl-C is ours to handle, in order.
            )
        self._guard = OrphanGuard(self._process.pid)

    async def ended(self) -> int:
        """Wait for the end of the process; returns its exit status."""
        assert self._process is not None, "start comes first"
        return await self._process.wait()

    async def watch(self) -> None:
        """Raise :class:`ChildEndedError` as soon as the process ends by itself."""
        status = await self.ended()
        raise ChildEndedError(
            f"the {self.name} ended with status {status} before its work was done. Its last log lines:\n"
            f"{last_lines(self.log_file)}"
        )

    def peak_rss_mb(self) -> float | None:
        """The most memory that the running process has had resident, where the system tells (Linux)."""
        return self._status_mb("VmHWM:")

    def rss_mb(self) -> float | None:
        """The memory that the running process has resident now, where the system tells (Linux)."""
        return self._status_mb("VmRSS:")

    def _status_mb(self, field: str) -> float | None:
        if self._process is None:
            return None
        with suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith(field):
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


def child_environment(directory: Path, settings: Settings | None = None) -> dict[str, str]:
    """This process's environment with ``settings`` alone deciding how a worker runs.

    What the child leaves in its temporary directory goes with ``directory``.
    """
    environment = without_settings(os.environ)
    environment["TMPDIR"] = str(directory)
    if settings is not None:
        for name in settings.__struct_fields__:
            value = getattr(settings, name)
            if value is not None:
                text = value.reveal() if isinstance(value, Secret) else str(value)
                environment[ENVIRONMENT_PREFIX + name.upper()] = text
    return environment


def worker_process(settings: Settings, directory: Path) -> ChildProcess:
    """``streamer worker`` with its settings in the environment; it is ready once it commits."""
    return ChildProcess("worker", WORKER, directory, child_environment(directory, settings))
