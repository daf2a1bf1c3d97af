"""The commands of docs/data.md, on small files of the sources' formats under the names that it gives."""

from __future__ import annotations

import gzip
import re
import shlex
from pathlib import Path

import pytest

from streamer.cli import run
from streamer.data.datasets import SOURCES
from tests.unit.data.test_dataset_sources import FILES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)).replace("\\\n", "")


# README.md has the command for Complete Journey, and its test runs it.
RUN_ELSEWHERE = "streamer dataset complete-journey"


@pytest.mark.parametrize("command", [c for c in COMMANDS.splitlines() if not c.startswith(RUN_ELSEWHERE)])
def test_a_command_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program, dataset, name, *options = shlex.split(command)
    assert (program, dataset) == ("streamer", "dataset")
    if "--from" in options:
        source = Path(options[options.index("--from") + 1])
        content = FILES[name][1].encode()
        source.write_bytes(gzip.compress(content) if source.suffix == ".gz" else content)
    assert run([dataset, name, *options]) == 0
    assert Path(options[options.index("--out") + 1]).stat().st_size > 0


def test_every_source_has_its_command_and_its_row() -> None:
    for name in [*SOURCES, "simulated"]:
        assert f"streamer dataset {name} " in COMMANDS
        assert f"\n| {name} | " in DOCUMENT
