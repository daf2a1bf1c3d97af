"""Progress bars for the stages of a long job and for the whole: rate and time left, on a terminal only."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Units a second."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class PlannedStage(Protocol):
    """A part of the work ahead: ``units`` in all, each of which costs ``cost`` beside others' units."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def units(self) -> int:
        """The most that there will be."""
        ...

    @property
    def cost(self) -> float:
        """Of a unit."""
        ...


class StageProgress:
    """Shows each stage from its beginning on, and the whole of what was planned.

    The time left of the whole follows from the planned costs; it falls faster where a stage ends early.
    """

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._planned: dict[str, PlannedStage] = {}
        self._done: defaultdict[str, int] = defaultdict(int)
        self._over: set[str] = set()
        self._whole: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        """All stages still ahead; of those planned before, what has not begun is dropped."""
        begun = {name: stage for name, stage in self._planned.items() if name in self._done}
        self._planned = {**begun, **{stage.name: stage for stage in stages}}
        self._show_whole()

    def done(self, stage: str, units: int) -> None:
        """``units`` more of ``stage`` were done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=None)
        self._done[stage] += units
        planned = self._planned.get(stage)
        self._progress.update(
            self._tasks[stage], advance=units, total=None if planned is None else planned.units
        )
        self._show_whole()

    def finished(self, stage: str) -> None:
        """``stage`` needs no more of its units."""
        self._over.add(stage)
        if stage in self._tasks:
            self._progress.update(self._tasks[stage], total=self._done[stage])
        self._show_whole()

    def _show_whole(self) -> None:
        if not self._planned:
            return
        if self._whole is None:
            self._whole = self._progress.add_task("whole", total=None)
        costs = {name: stage.cost for name, stage in self._planned.items()}
        units = {
            name: self._done[name] if name in self._over else max(stage.units, self._done.get(name, 0))
            for name, stage in self._planned.items()
        }
        total = sum(costs[name] * units[name] for name in costs)
        done = sum(costs[name] * self._done.get(name, 0) for name in costs)
        self._progress.update(self._whole, completed=done, total=total)
