"""Imports go one way: schemas <- streamer.core <- the rest of streamer; models use schemas and the core."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL_ONLY = {"aiohttp", "aiokafka", "asyncio", "click", "faust", "mode", "onnxruntime", "rich", "rocksdict"}
INPUT_AND_OUTPUT = {"io", "os", "pathlib", "random", "shutil", "socket", "subprocess", "tempfile", "time"}
COMMANDS_THAT_TRAIN = {
    "streamer/cli/analysis/backtest.py",
    "streamer/cli/analysis/evaluate.py",
    "streamer/cli/analysis/evaluation.py",
    "streamer/cli/analysis/train.py",
}


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(paths: list[Path], forbidden: set[str]) -> list[str]:
    def is_forbidden(name: str) -> bool:
        return any(name == root or name.startswith(root + ".") for root in forbidden)

    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imported(path)
        if is_forbidden(name)
    ]


def test_schemas_know_nobody() -> None:
    assert offenders(modules("schemas"), {"streamer", "models", *SHELL_ONLY}) == []


def test_the_core_is_pure() -> None:
    core = modules("streamer/core")
    assert len(core) > 10
    assert offenders(core, {"models", "torch", *SHELL_ONLY, *INPUT_AND_OUTPUT}) == []
    shell = {
        f"streamer.{path.stem}"
        for path in (ROOT / "streamer").iterdir()
        if path.stem not in ("core", "__init__")
    }
    assert offenders(core, shell) == []


def test_the_core_asks_no_clock() -> None:
    for path in modules("streamer/core"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("now", "utcnow", "today", "monotonic"), f"{path}: {node.attr}"


def test_nothing_at_run_time_needs_torch() -> None:
    run_time = [p for p in modules("streamer") if str(p.relative_to(ROOT)) not in COMMANDS_THAT_TRAIN]
    assert offenders([*run_time, *modules("schemas")], {"torch", "models", "onnxscript"}) == []


def test_models_use_only_schemas_and_the_core() -> None:
    allowed = ("streamer.core",)
    for path in modules("models"):
        for name in imported(path):
            if name.split(".")[0] == "streamer" and name != "streamer":
                assert name.startswith(allowed), f"{path} imports {name}"


@pytest.mark.parametrize(
    "path", modules("schemas", "streamer", "models"), ids=lambda p: str(p.relative_to(ROOT))
)
def test_one_idea_a_file(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300, f"{path} has grown past 300 lines: it holds two ideas"


def test_what_lies_on_a_broker_is_named_with_the_prefix() -> None:
    """Only the key on the topic of models, which has the prefix itself, is the bare application id."""
    bare = [
        path.relative_to(ROOT).as_posix()
        for path in modules("streamer")
        if "settings.application_id" in path.read_text()
    ]
    assert bare == ["streamer/worker/rollout/topic.py"]
