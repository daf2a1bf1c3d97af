"""Every command in the documentation is run, in the order in which a reader would."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from streamer.bench import session
from streamer.cli import run
from streamer.data.datasets import dataset_events
from streamer.data.files import write_events
from tests.faults.arguments import parse_arguments

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
PATH = re.compile(r"`((?:\.ci|docs|deploy|examples|models|schemas|streamer|tests)/[\w./-]*\w)/?`")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md", "examples/*/*.md")
    for path in ROOT.glob(pattern)
)
MADE_ELSEWHERE = ("make demo", "make test")
MADE_BEFORE = ("pip install", "streamer dataset")
MODEL_USERS = 40
REPLAYED_USERS = 250
DATASET = "streamer dataset complete-journey --out "

# A reader stops one worker, once it works, before starting the next one on the same folder of state.
PRELUDE = """\
set -euo pipefail
worker=
stop_worker() {
  [ -n "$worker" ] || return 0
  until grep -q "Worker ready" worker.txt; do kill -0 "$worker"; done
  kill "$worker"
  wait "$worker"
}
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
"""

A_BAD_RECORD = """\
import asyncio, sys
from aiokafka import AIOKafkaProducer
async def send():
    async with AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{sys.argv[1]}") as producer:
        await producer.send_and_wait("commerce.events.v1", b"not JSON", b"u1")
asyncio.run(send())
"""


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return [body for found, body in BLOCK.findall(text) if found == language]


def write_part_of_the_data(path: Path, users: int) -> None:
    """The first households' year: the source of the data is tested by itself."""
    events = list(dataset_events("complete-journey"))
    chosen = set(sorted({event.user_id for event in events}, key=int)[:users])
    write_events(path, (event for event in events if event.user_id in chosen))


def script_of(document: str, port: int) -> str:
    """The document's commands as one script; workers go to the background, port 9092 becomes ``port``.

    Instead of the whole data they get the part that lies in ``part.parquet``.
    """
    lines = [PRELUDE]
    for line in "\n".join(blocks(document, "sh")).splitlines():
        if line in MADE_ELSEWHERE or line == ". .venv/bin/activate":
            continue
        command = line.replace("9092", str(port)).rstrip(" &")
        if "streamer worker" in command:
            lines.append(f"stop_worker\n{command} 2> worker.txt &\nworker=$!")
        elif command.startswith(DATASET):
            lines.append(f"cp part.parquet {command.removeprefix(DATASET)}")
        elif command == "streamer dlq list":
            lines.append(
                f"python -c {shlex.quote(A_BAD_RECORD)} {port}\nuntil {command} | grep not-json; do :; done"
            )
        elif command.startswith("streamer broker"):
            lines.append(f"{command} > broker.txt &\nuntil grep -q answers broker.txt; do kill -0 $!; done")
        else:
            lines.append(command)
    return "\n".join([*lines, "stop_worker"])


@pytest.mark.parametrize("document", ["README.md", "docs/operations.md"])
def test_the_commands_of_a_document_run(document: str, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (tmp_path / "streamer").symlink_to(ROOT / "streamer")
    write_part_of_the_data(tmp_path / "part.parquet", REPLAYED_USERS)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STREAMER_BOOTSTRAP": f"127.0.0.1:{port}",
    }
    done = subprocess.run(
        ["bash", "-c", script_of(document, port)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_the_commands_about_models_run_on_a_part_of_the_data(tmp_path: Path) -> None:
    """As the document has them, save that the sources of data, tested by themselves, give fewer users."""
    write_part_of_the_data(tmp_path / "events.parquet", MODEL_USERS)
    commands = "".join(blocks("docs/models.md", "sh")).replace("\\\n", " ").splitlines()
    kept = [line for line in commands if not line.startswith(MADE_BEFORE)]
    assert len(kept) < len(commands)
    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *kept])],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_the_commands_about_speed_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the document has them, with the measuring itself, tested elsewhere, left out."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(session, "run_session", lambda *arguments: asked.append(arguments) or 0)
    targets = (ROOT / "Makefile").read_text()
    commands = "".join(blocks("docs/performance.md", "sh")).splitlines()
    for command in commands:
        program, name, *arguments = shlex.split(command)
        if program == "make":
            assert re.search(rf"^{name}:.*\n\t@\$\(BIN\)/streamer {name} \$\(ARGS\)$", targets, re.MULTILINE)
            arguments = shlex.split(arguments[0].removeprefix("ARGS="))
        assert run([name, *arguments]) == 0
    assert len(asked) == len(commands) > 1


def test_the_commands_about_faults_are_understood() -> None:
    """As the document has them; a short campaign runs in a test of its own."""
    targets = (ROOT / "Makefile").read_text()
    assert re.search(r"^faults:.*\n\t@\$\(BIN\)/python -m tests.faults \$\(ARGS\)$", targets, re.MULTILINE)
    commands = "".join(blocks("docs/reliability.md", "sh")).splitlines()
    assert len(commands) > 1
    for command in commands:
        program, name, arguments = shlex.split(command)
        assert (program, name) == ("make", "faults")
        parse_arguments(shlex.split(arguments.removeprefix("ARGS=")))


def test_the_commands_that_need_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in MADE_ELSEWHERE:
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    ("document", "schema"),
    [("README.md", "alert"), ("docs/integrators.md", "event"), ("docs/privacy.md", "erasure")],
)
def test_messages_in_the_documentation_are_valid(document: str, schema: str) -> None:
    validator = jsonschema.Draft202012Validator(
        json.loads((ROOT / "schemas" / "json" / f"{schema}.schema.json").read_text())
    )
    messages = [json.loads(body) for body in blocks(document, "json")]
    assert messages
    for message in messages:
        validator.validate(message)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_paths_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in LINK.findall(text):
        assert ((ROOT / document).parent / target).exists(), f"{document} links to {target}"
    for path in PATH.findall(text):
        assert (ROOT / path).exists(), f"{document} names {path}"


def test_the_commands_of_contributing_are_understood() -> None:
    """As the document has them: targets of the Makefile, options of pytest, of `bench` and of `faults`."""
    makefile, text = (ROOT / "Makefile").read_text(), (ROOT / "CONTRIBUTING.md").read_text()
    commands = re.findall(r"^(?:\| `)?(make [^`\n]+)", text, re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        _, name, *rest = shlex.split(command)
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), command
        arguments = shlex.split(rest[0].removeprefix("ARGS=")) if rest else []
        if name == "faults":
            parse_arguments(arguments)
        elif name == "bench":
            assert run(["bench", *arguments, "--help"]) == 0
        else:
            assert name == "test" or not arguments, command
            assert {word for word in arguments if word.startswith("-")} <= {"-k", "-n", "-s"}, command
    modules = re.findall(r"\.venv/bin/python -m (\w+)", text)
    assert modules
    assert all((ROOT / module / "__main__.py").exists() for module in modules)
