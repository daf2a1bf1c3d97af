"""What a terminal shows of a training: each stage with its rate, and the time left of the whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from models.plan import BUNDLE, Plan
from streamer.cli.stage_progress import StageProgress
from tests.tiny_training import TASK


class Stage(NamedTuple):
    name: str
    units: int
    cost: float


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, work: Sequence[tuple[str, int]], over: Sequence[str]) -> str:
    """The last frame after ``work``, of a plan of 100 cheap units and 50 that cost twice as much."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with StageProgress() as progress:
        progress.done("events", 10)
        progress.plan([Stage("cheap", 100, 1.0), Stage("dear", 50, 2.0)])
        for stage, units in work:
            progress.done(stage, units)
        for stage in over:
            progress.finished(stage)
    return terminal.getvalue().rsplit("events", 1)[1]


def line(frame: str, name: str) -> str:
    return next(line for line in frame.splitlines() if line.lstrip().startswith(name))


def test_the_whole_counts_stages_by_their_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = shown(monkeypatch, [("cheap", 100), ("dear", 5)], ["cheap"])
    assert "100%" in line(frame, "cheap")
    assert "10%" in line(frame, "dear")
    assert "55%" in line(frame, "whole")


def test_a_stage_that_ends_early_leaves_less_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = shown(monkeypatch, [("cheap", 25)], ["cheap"])
    assert "100%" in line(frame, "cheap")
    assert "20%" in line(frame, "whole")


def test_a_stage_that_was_not_chosen_is_no_longer_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with StageProgress() as progress:
        progress.plan([Stage("cheap", 100, 1.0), Stage("dear", 50, 2.0)])
        progress.done("cheap", 50)
        progress.plan([])
    assert "50%" in terminal.getvalue().rsplit("whole", 1)[1].splitlines()[0]


def test_nothing_is_shown_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with StageProgress() as progress:
        progress.plan([Stage("cheap", 100, 1.0)])
        progress.done("cheap", 100)
        progress.finished("cheap")
    assert capsys.readouterr().err == ""


def test_the_plan_has_every_stage_of_the_variant_once() -> None:
    plan = Plan(TASK, examples=100, events=200, earlier=150, folds=2)
    names = [stage.name for stage in plan.after_validation("aggregates")]
    assert names.count("final fit: language model") == names.count(BUNDLE) == 1
    assert "final fit: both" not in names
    assert [name for name in names if name.startswith("fold")] == [
        "fold 1 of 2: query head",
        "fold 2 of 2: query head",
    ]
    sequence = [stage.name for stage in plan.after_validation("sequence")]
    assert "final fit: query head" not in sequence
    assert "fold 2 of 2: sequence" in sequence
    assert len(set(names)) == len(names)
