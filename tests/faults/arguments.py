"""What a campaign can be told."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fuzzing import FUZZING
from tests.faults.inject.catalogue import EVENT_TIME, LIVE

DEFAULT_MINUTES = 40.0


@dataclass(frozen=True)
class Arguments:
    """``only``: names of faults, all without one. ``times``: how often each strikes, if not as planned."""

    seed: int
    report: Path | None
    only: tuple[str, ...]
    times: int | None
    minutes: float


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The arguments; ends the program with 2 if they cannot be understood."""
    names = [*(fault.kind.name for fault in (*EVENT_TIME, *LIVE)), FUZZING]
    parser = argparse.ArgumentParser(prog="make faults", description="Faults under load, and what they did.")
    parser.add_argument("--seed", type=int, default=1, help="decides schedule and load")
    parser.add_argument("--report", type=Path, help="write the figures as JSON")
    parser.add_argument(
        "--only", action="append", default=[], choices=names, help="this fault alone; repeatable"
    )
    parser.add_argument("--times", type=int, help="how often each fault strikes, instead of its own number")
    parser.add_argument(
        "--minutes", type=float, default=DEFAULT_MINUTES, help="when the last fault may begin"
    )
    told = parser.parse_args(words)
    return Arguments(told.seed, told.report, tuple(told.only), told.times, told.minutes)
