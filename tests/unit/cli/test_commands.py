"""The console script: exit codes, errors as one line, and commands that are imported only when called."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from schemas.errors import BrokerError, ConfigurationError
from streamer import cli


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from streamer.cli import run; sys.exit(run(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_command_exists_and_explains_itself() -> None:
    context = click.Context(cli.cli)
    for name in cli.COMMANDS:
        command = cli.cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help, f"{name} --help explains nothing"


def test_help_lists_the_commands_without_importing_them() -> None:
    script = (
        "import sys; from streamer.cli import run; code = run(['--help'])\n"
        "heavy = {'faust', 'aiokafka', 'numpy', 'onnxruntime', 'pyarrow', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    for name in cli.COMMANDS:
        assert f"  {name} " in result.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["topics", "--help"]])
def test_information_ends_with_0(arguments: list[str]) -> None:
    assert run_script(*arguments).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["--nonsense"], ["broker", "--port", "x"], ["topics", "--config", "/does/not/exist"]],
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    result = run_script(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (BrokerError("no broker"), 1),
        (ConfigurationError("no such setting"), 2),
        (KeyboardInterrupt(), 130),
        (click.exceptions.Exit(1), 1),
        (BrokenPipeError(), 1),
        (None, 0),
    ],
)
def test_what_a_command_raises_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    raised: BaseException | None,
    code: int,
) -> None:
    @click.command()
    def command() -> None:
        if raised is not None:
            raise raised

    monkeypatch.setattr(cli, "cli", command)
    assert cli.run([]) == code
    error = capfd.readouterr().err
    assert "Traceback" not in error
    if isinstance(raised, BrokerError | ConfigurationError):
        assert error == f"error: {raised}\n"


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(cli, "cli", command)
    with pytest.raises(RuntimeError, match="defect"):
        cli.run([])


def test_an_unreachable_broker_is_one_line_that_names_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 (discard) is privileged and closed on any machine that tests run on.
    monkeypatch.setenv("STREAMER_BOOTSTRAP", "127.0.0.1:9")
    result = run_script("topics")
    assert result.returncode == 1
    assert result.stderr.startswith("error: no Kafka broker answers at 127.0.0.1:9: ")
    assert result.stderr.count("\n") == 1
