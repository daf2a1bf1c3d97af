"""A worker's data folder: for one worker at a time, and refused in words where it is of no use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from schemas.errors import ConfigurationError
from streamer import cli
from streamer.worker.runtime.stores.data_folder import own_data_folder

HOLD = """
import sys
from pathlib import Path
from streamer.worker.runtime.stores.data_folder import own_data_folder
with own_data_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has ``folder`` until it is killed."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_worker_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with another_worker(tmp_path):
        with (
            pytest.raises(ConfigurationError, match=r"another worker.*STREAMER_DATA_DIR"),
            own_data_folder(tmp_path),
        ):
            pytest.fail("two workers in one folder")
        with own_data_folder(tmp_path / "own"):
            pass
    with own_data_folder(tmp_path):
        pass


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs, own_data_folder(tmp_path / "var" / "state"):
        assert (tmp_path / "var" / "state").stat().st_mode & 0o777 == 0o700
    assert logs == []


def test_a_folder_that_others_may_read_is_warned_of_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with structlog.testing.capture_logs() as logs, own_data_folder(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o755
    (said,) = logs
    assert (said["log_level"], said["folder"]) == ("warning", str(tmp_path))


def test_a_worker_ends_with_2_before_all_else_where_its_folder_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STREAMER_DATA_DIR", str(tmp_path / "file" / "state"))
    monkeypatch.setenv("STREAMER_BOOTSTRAP", "127.0.0.1:1")
    assert cli.run(["worker"]) == 2
    said = capsys.readouterr().err
    assert "STREAMER_DATA_DIR" in said
    assert "Not a directory" in said
