"""No test of the worker's end ends the process that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from streamer.worker.runtime import ending


class ForcedEnds:
    """Stands in for the timers that end the process by force, and for that end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pending: list[tuple[float, Callable[[], object]]] = []
        self.codes: list[int] = []
        monkeypatch.setattr(ending.threading, "Timer", self._timer)
        monkeypatch.setattr(ending.os, "_exit", self.codes.append)

    @property
    def deadlines_s(self) -> list[float]:
        return [deadline_s for deadline_s, _ in self.pending]

    def reach_all(self) -> list[int]:
        for _, end in self.pending:
            end()
        return self.codes

    def _timer(self, deadline_s: float, end: Callable[[], object]) -> object:
        return SimpleNamespace(start=lambda: self.pending.append((deadline_s, end)))


@pytest.fixture(autouse=True)
def forced(monkeypatch: pytest.MonkeyPatch) -> ForcedEnds:
    return ForcedEnds(monkeypatch)
