"""Ctrl-C: once, and there is a bundle of what was learnt; twice, and the checkpoint goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.loop.progress import Interruption
from schemas.bundle.manifest import MANIFEST_NAME
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.data.files import write_events
from streamer.inference.bundle import load_bundle
from tests.tiny_training import DAYS, START_MS, TASK, Watch, shop_events, train

DEADLINE_S = 120


@pytest.mark.parametrize(
    ("stage", "share", "judged"),
    [
        ("first fit: query head", 0.01, ["aggregates"]),
        ("first fit: sequence", 0.5, ["aggregates", "sequence"]),
        ("final fit: query head", 0.5, ["aggregates", "sequence", "both"]),
        ("final fit: spend head", 0.5, ["aggregates", "sequence", "both"]),
    ],
)
def test_the_best_so_far_is_a_bundle_that_loads(
    tmp_path: Path, stage: str, share: float, judged: list[str]
) -> None:
    interruption = Interruption()
    made = train(tmp_path / "out", Watch(stage, share, interruption), interruption=interruption)
    manifest = load_bundle(tmp_path / "out").manifest
    assert manifest == made.manifest
    assert manifest.interrupted
    assert [one.variant for one in manifest.ablation] == judged
    assert manifest.alert is None
    # Where the fit on everything was not finished, the one that was judged is served.
    finished = stage == "final fit: spend head"
    seen_until_ms = TASK.until_ms - (0 if finished else 2 * TASK.horizon_ms)
    assert manifest.training_window.to == format_timestamp(seen_until_ms)


SCRIPT = """
import dataclasses, sys
import models.from_events as entry
from models.recipe import Schedule
from streamer.cli import run
from tests.tiny_training import RECIPE, SIZE
entry.PROFILES["base"] = SIZE
language = Schedule(int(sys.argv[1]), 1e-3)
entry.RECIPE = dataclasses.replace(RECIPE, language=language, patience=10**6)
sys.exit(run(sys.argv[2:]))
"""


class Command:
    """``streamer train`` as a process of its own, whose language model takes ``epochs`` epochs."""

    def __init__(self, folder: Path, epochs: int, *options: str) -> None:
        self.out = folder / "out"
        file = folder / "events.ndjson"
        if not file.exists():
            write_events(file, sorted(shop_events(), key=lambda event: event.timestamp))
        until = format_timestamp(START_MS + DAYS * DAY_MS)
        arguments = ["train", str(file), "--out", str(self.out), "--train-until", until]
        given = ["--churn-types", "any", "--horizon", "10d", "--active", "30d", "--window", "20d", *options]
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(epochs), *arguments, *given],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_checkpoint(self, stage: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not (self.out.with_name("out.training") / f"{stage}.pt").exists():
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def line(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def ended(self) -> tuple[int, str]:
        """Exit code, and what was said on both streams."""
        said = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode, "".join(said)


def test_ctrl_c_once_ends_with_a_bundle(tmp_path: Path) -> None:
    command = Command(tmp_path, 10**6, "--folds", "3")
    command.wait_for_checkpoint("first-fit-language-model")
    command.send(signal.SIGINT)
    code, said = command.ended()
    assert code == 130, said
    assert "interrupted with the best so far; the same command with --resume goes on" in said
    assert load_bundle(command.out).manifest.interrupted
    assert (tmp_path / "out.training").exists()


def test_ctrl_c_twice_ends_at_once_and_a_kill_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    command = Command(tmp_path, 10**6)
    command.wait_for_checkpoint("first-fit-language-model")
    command.send(signal.SIGINT)
    assert "Ctrl-C again ends at once" in command.line()
    command.send(signal.SIGINT)
    assert command.ended()[0] == 130
    assert not command.out.exists()

    killed = Command(tmp_path, 10**6, "--resume")
    killed.wait_for_checkpoint("first-fit-language-model")
    killed.send(signal.SIGKILL)
    assert killed.ended()[0] == -signal.SIGKILL
    other = Command(tmp_path, 10**6, "--resume", "--seed", "2")
    code, said = other.ended()
    assert code == 2
    assert "out.training is of a training with other --seed" in said


def test_folds_are_in_the_report_and_success_removes_the_checkpoints(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = Command(tmp_path, 2, "--folds", "3", "--seeds", "2", "--resume", "--report", str(report))
    code, said = command.ended()
    assert code == 0, said
    figures = json.loads(report.read_text())
    assert len(figures["folds"]) == 3
    assert sum(fold["n"] for fold in figures["folds"]) == figures["validation_n"]
    assert all(one["seeds"] == 2 and one["spread"]["log_loss"] > 0 for one in figures["ablation"])
    assert "mean" in said
    assert not (tmp_path / "out.training").exists()
    assert json.loads((command.out / MANIFEST_NAME).read_bytes())["variant"] == figures["variant"]
