"""``python -m tests.faults.table REPORT...``: reports added up as ``docs/reliability.md`` shows them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from tests.faults.report import FaultReport, Report

HEADER = (
    "| fault | tried | lost | same | else | false | missing | other | recovery s: median, max | from |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
COUNTS = (
    "tried",
    "lost",
    "repeated_identical",
    "repeated_different",
    "false_alerts",
    "missing_alerts",
    "other",
)


def table(reports: Sequence[Report]) -> list[str]:
    """The lines of the table, one a fault, in the order in which the reports have them."""
    names = dict.fromkeys(line.fault for report in reports for line in report.faults)
    return [*HEADER, *(_row(name, reports) for name in names)]


def summary(reports: Sequence[Report]) -> str:
    """What the campaigns went through, in one sentence."""
    trials = [trial for report in reports for trial in report.trials]
    sums = {
        name: sum(getattr(trial, name) for trial in trials)
        for name in ("events", "alerts", "decisions", "dead_letters", "undone_alerts")
    }
    inputs = sum(report.fuzzing.inputs for report in reports if report.fuzzing is not None)
    seeds = ", ".join(str(report.seed) for report in reports)
    minutes = sum(report.seconds for report in reports) / 60
    return (
        f"Seeds {seeds}, {minutes:.0f} minutes: {sums['events']:,} events, {sums['alerts']:,} alerts, "
        f"{sums['decisions']:,} decisions, {sums['dead_letters']:,} dead letters; {sums['undone_alerts']:,} "
        f"alerts were undone with the transactions that faults cut short; {inputs:,} hostile inputs."
    )


def _row(name: str, reports: Sequence[Report]) -> str:
    lines = [line for report in reports for line in report.faults if line.fault == name]
    counts = " | ".join(str(sum(getattr(line, count) for line in lines)) for count in COUNTS)
    return f"| `{name}` | {counts} | {_recovery(lines, reports)} | {lines[0].recovery_from} |"


def _recovery(lines: Sequence[FaultReport], reports: Sequence[Report]) -> str:
    name = lines[0].fault
    struck = [strike for report in reports for trial in report.trials for strike in trial.struck]
    times = [strike.recovery_s for strike in struck if strike.kind == name and strike.recovery_s is not None]
    return f"{median(times):.1f}, {max(times):.1f}" if times else ""


if __name__ == "__main__":
    read = [msgspec.json.decode(Path(file).read_bytes(), type=Report) for file in sys.argv[1:]]
    print("\n".join([summary(read), "", *table(read)]))
