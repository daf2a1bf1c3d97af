"""Run a job beside the tasks that it needs: the first failure of any of them ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from schemas.errors import ChurnStreamerError

CAUSE_DEADLINE_S = 3.0
CANCEL_WAIT_S = 2.0
CANCELS = 4

Result = TypeVar("Result")


async def job_beside(
    job: Coroutine[Any, Any, Result],
    watched: Sequence[Coroutine[Any, Any, None]],
    needed: Sequence[Coroutine[Any, Any, None]],
) -> Result:
    """The job's result. ``watched`` tell of a process's end, ``needed`` run until the job is done.

    When a process dies, whoever talks to it fails too, often first: its end is waited for for a moment and
    is what is raised.
    """
    main = asyncio.create_task(job)
    watchers = [asyncio.create_task(watcher) for watcher in watched]
    tasks = [main, *watchers, *(asyncio.create_task(task) for task in needed)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if main.done() and not main.cancelled() and main.exception() is None:
            return main.result()
        await asyncio.wait(watchers, timeout=CAUSE_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in [*watchers, *tasks]:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        raise ChurnStreamerError("a task ended before the job was done that needed it")
    finally:
        await cancel_all(tasks)


async def cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End the tasks. One that cleans up against a dead broker is cancelled again instead of waited for."""
    for _ in range(CANCELS):
        running = [task for task in tasks if not task.done()]
        if not running:
            break
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_WAIT_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
