"""The audit fails for what it finds, and says aloud where it could not look."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
verdict: Callable[[str, str], tuple[int, str]] = runpy.run_path(str(ROOT / ".ci" / "audit_dependencies.py"))[
    "verdict"
]

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"], "aliases": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def answer(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


@pytest.mark.parametrize(
    ("output", "errors", "code", "words"),
    [
        (answer(GOOD), "", 0, "1 of 1 locked packages were audited, none has"),
        (answer(GOOD, BAD, UNKNOWN), "Found 1 known vulnerability", 1, "bad 2: CVE-1, fixed in ['3']"),
        (
            answer(GOOD, UNKNOWN),
            "",
            0,
            "service knows nothing of unknown. 1 of 2",
        ),
        (
            "",
            "ERROR: Could not connect to PyPI's vulnerability feed",
            0,
            "NOT AUDITED: the",
        ),
        ("", "ERROR: requirements file is wrong", 1, "pip-audit failed:\nERROR: requirements file is wrong"),
    ],
)
def test_the_verdict(output: str, errors: str, code: int, words: str) -> None:
    found, told = verdict(output, errors)
    assert found == code
    assert words in told


def test_a_secret_in_the_repository_is_found(tmp_path: Path) -> None:
    """And none is let through by the baseline: what is no secret says so in its line."""
    baseline = ROOT / ".secrets.baseline"
    assert json.loads(baseline.read_text())["results"] == {}
    planted = tmp_path / "settings.py"
    planted.write_text('api_key = "' + sha256(b"planted").hexdigest() + '"\n')
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", str(baseline)]
    scan = subprocess.run([*command, str(planted)], capture_output=True, text=True, timeout=60, check=False)
    assert scan.returncode == 1, scan.stdout + scan.stderr
    assert "settings.py:1" in scan.stdout


def test_the_gate_runs_the_audit() -> None:
    assert "make audit\n" in (ROOT / ".ci" / "run").read_text()
