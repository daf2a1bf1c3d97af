"""Why a worker cannot start stands in its log, in the log's format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STREAMER = Path(sys.executable).with_name("streamer")


def start(directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")},
        **{f"STREAMER_{name.upper()}": value for name, value in settings.items()},
    }
    return subprocess.run(
        [STREAMER, "worker"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "exit_code", "words"),
    [
        ({"partitions": "many"}, 2, "STREAMER_PARTITIONS"),
        ({"log_format": "xml"}, 2, "STREAMER_LOG_FORMAT"),
        ({"security_protocol": "SSL", "tls_ca_file": "none.pem"}, 2, "none.pem"),
        ({"bootstrap": "127.0.0.1:1"}, 1, "no Kafka broker answers at 127.0.0.1:1"),
    ],
)
def test_every_line_is_json(tmp_path: Path, settings: dict[str, str], exit_code: int, words: str) -> None:
    ended = start(tmp_path, **settings)
    assert ended.returncode == exit_code
    *_, last = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (last["event"], last["level"], last["exit_code"]) == ("worker cannot start", "error", exit_code)
    assert words in last["reason"]


def test_for_people_there_is_no_json(tmp_path: Path) -> None:
    ended = start(tmp_path, log_format="console", partitions="many")
    assert ended.returncode == 2
    assert "STREAMER_PARTITIONS" in ended.stderr
    assert "{" not in ended.stderr
