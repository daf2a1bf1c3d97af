"""The fuzz tests with as many inputs as a campaign tries, other ones each time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.faults.report import FuzzingReport

FUZZING: Final = "fuzzing"
INPUTS: Final = 200_000
TESTS: Final = Path(__file__).parents[1] / "property" / "test_fuzz_inputs.py"


def run_fuzzing() -> FuzzingReport:
    """Run the tests in a process of their own; what they say goes to this one's output."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", str(TESTS)]
    done = subprocess.run(command, env={**os.environ, "FUZZ_INPUTS": str(INPUTS)}, check=False)
    return FuzzingReport(INPUTS, done.returncode != 0, round(time.monotonic() - begun, 1))
