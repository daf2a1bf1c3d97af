"""Worker processes under a supervisor that starts each again whenever it ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from streamer.processes.orphan_guard import OrphanGuard
from tests.integration.shop import Shop

COMMAND = (sys.executable, "-m", "tests.faults.worker_process")
POLL_S = 0.05
RESTART_AFTER_S = 0.3
STOP_DEADLINE_S = 40.0


@dataclass
class Worker:
    """A place in the fleet. ``environment``: what its next process gets besides the shop's settings.

    ``log_begins``: where the process's own lines begin in the log. ``exits``: every end of a process, its
    moment (monotonic seconds) and its exit status.
    """

    name: str
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    log_begins: int = 0
    guard: OrphanGuard | None = None
    wanted: bool = True
    restart_at: float = 0.0
    exits: list[tuple[float, int]] = field(default_factory=list)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if one runs."""
        if self.process is not None:
            self.process.send_signal(number)


class Fleet:
    """The workers of one shop, each with a data directory and an instance id of its own."""

    def __init__(self, shop: Shop) -> None:
        self.workers: dict[str, Worker] = {}
        self._shop = shop

    def add(self, name: str) -> Worker:
        """A worker more, which the supervisor starts."""
        data_dir = str(self._shop.directory / name / "state")
        worker = self.workers[name] = Worker(name, {"STREAMER_DATA_DIR": data_dir})
        return worker

    def pick(self, number: int) -> Worker:
        """One of the workers whose process runs, counted modulo their number; else any of them."""
        running = [worker for worker in self.workers.values() if worker.process is not None]
        candidates: Sequence[Worker] = running or list(self.workers.values())
        return candidates[number % len(candidates)]

    @property
    def ends(self) -> int:
        """How often a process of a worker that is there has ended."""
        return sum(len(worker.exits) for worker in self.workers.values())

    async def supervise(self) -> None:
        """Start what is wanted and does not run, for ever."""
        while True:
            for worker in list(self.workers.values()):
                self._look_after(worker)
            await asyncio.sleep(POLL_S)

    async def stop(self, worker: Worker) -> int | None:
        """SIGTERM, and wait for the end; the exit status, ``None`` if no process ran.

        Raises ``TimeoutError`` if it does not end in time.
        """
        worker.wanted = False
        worker.signal(signal.SIGTERM)
        process, deadline = worker.process, monotonic() + STOP_DEADLINE_S
        while process is not None and process.poll() is None:
            if monotonic() > deadline:
                raise TimeoutError(
                    f"worker {worker.name} did not end within {STOP_DEADLINE_S:g} s of SIGTERM"
                )
            await asyncio.sleep(POLL_S)
        self._note_end(worker)
        return None if process is None else process.returncode

    async def remove(self, name: str) -> int | None:
        """Stop a worker and forget it."""
        status = await self.stop(self.workers[name])
        del self.workers[name]
        return status

    def kill_all(self) -> None:
        """End every process at once."""
        for worker in self.workers.values():
            worker.wanted = False
            worker.signal(signal.SIGKILL)
            if worker.process is not None:
                worker.process.wait()
            self._note_end(worker)

    def said_since_start(self, worker: Worker) -> str:
        """The log of the process that runs; empty if none does."""
        return "" if worker.process is None else self._log(worker)[worker.log_begins :]

    def _log(self, worker: Worker) -> str:
        file = self._shop.directory / f"{worker.name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _look_after(self, worker: Worker) -> None:
        self._note_end(worker)
        if worker.wanted and worker.process is None and monotonic() >= worker.restart_at:
            command = (*worker.prefix, *COMMAND)
            worker.log_begins = len(self._log(worker))
            worker.process = self._shop.start_worker(worker.name, command, **worker.environment)
            worker.guard = OrphanGuard(worker.process.pid)

    def _note_end(self, worker: Worker) -> None:
        if worker.process is None or (status := worker.process.poll()) is None:
            return
        worker.exits.append((monotonic(), status))
        worker.process, worker.restart_at = None, monotonic() + RESTART_AFTER_S
        if worker.guard is not None:
            worker.guard.release()
            worker.guard = None
