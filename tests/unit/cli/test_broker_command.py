"""``streamer broker`` tells how far its download is, also where its words go into a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamer import cli
from streamer.cli.operations import broker
from streamer.processes.broker import jars
from streamer.processes.broker.jars import Progress, class_path
from streamer.processes.broker.lock import locked_jars


def test_a_download_is_told_in_few_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def fetching(_data_dir: Path | None, _port: int, progress: Progress) -> Iterator[SimpleNamespace]:
        for present in range(47):
            progress(present, 46)
        yield SimpleNamespace(bootstrap="127.0.0.1:1", log_file="kafka.log", wait=lambda: 0)

    monkeypatch.setattr(broker, "local_broker", fetching)
    monkeypatch.setattr(broker.signal, "signal", lambda *_: None)
    assert cli.run(["broker"]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fetching")]
    assert told == [f"fetching Kafka: {present} of 46 jars" for present in (0, 10, 20, 30, 40, 46)]


def test_a_download_is_told_before_its_first_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jars, "_fetch", lambda _coordinate, _sha256, target: target.touch())
    told: list[tuple[int, int]] = []
    class_path(lambda *progress: told.append(progress))
    needed = len(locked_jars())
    assert told == [(present, needed) for present in range(needed + 1)]
