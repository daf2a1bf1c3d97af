"""``python -m tests.faults``: a campaign on this machine, with its own Kafka."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults.arguments import parse_arguments
from tests.faults.campaign import run_campaign
from tests.faults.event_time import EventTimeTrial
from tests.faults.fuzzing import FUZZING, run_fuzzing
from tests.faults.inject.catalogue import EVENT_TIME, LIVE
from tests.faults.inject.field import Fault
from tests.faults.live import LiveTrial
from tests.faults.report import Report, TrialReport
from tests.faults.schedule import Strike, draw_schedule
from tests.faults.trial import Plan, Trial

SHOWN_FINDINGS = 40
# What one fault of the live trial takes, with its recovery: their silences are spread over all of it.
LIVE_FAULT_S = 13.0

TrialMaker = Callable[[int, Path, int], Trial]


def event_time_trial(seed: int, directory: Path, faults: int) -> Trial:
    """The trial whose every result is known beforehand."""
    del directory, faults
    return EventTimeTrial(seed)


def live_trial(seed: int, directory: Path, faults: int) -> Trial:
    """The trial in which wall time decides."""
    return LiveTrial(seed, directory, faults * LIVE_FAULT_S)


def main() -> int:
    """0 when nothing was lost, repeated, false or missing; 1 otherwise; 2 for wrong use."""
    arguments = parse_arguments(sys.argv[1:])
    begun = time.monotonic()
    trials: list[TrialReport] = []
    for faults, make_trial in ((EVENT_TIME, event_time_trial), (LIVE, live_trial)):
        chosen = [fault for fault in faults if not arguments.only or fault.kind.name in arguments.only]
        if chosen:
            minutes = arguments.minutes - (time.monotonic() - begun) / 60
            trials.append(_run(arguments.seed, chosen, arguments.times, minutes, make_trial))
    fuzzing = run_fuzzing() if not arguments.only or FUZZING in arguments.only else None
    report = Report(
        seed=arguments.seed,
        seconds=round(time.monotonic() - begun, 1),
        faults=[line for trial in trials for line in trial.faults],
        trials=trials,
        fuzzing=fuzzing,
    )
    if arguments.report is not None:
        arguments.report.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    _show(report)
    failed = any(trial.findings for trial in trials) or (fuzzing is not None and fuzzing.failed)
    return 1 if failed else 0


def _run(
    seed: int, faults: list[Fault], times: int | None, minutes: float, make_trial: TrialMaker
) -> TrialReport:
    """One trial, whose logs and topics are kept if anything is wrong."""
    kinds = [fault.kind for fault in faults]
    schedule = draw_schedule(seed, kinds, None if times is None else {kind.name: times for kind in kinds})
    _show_schedule(seed, schedule)
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {line}", flush=True)

    directory, kept = Path(tempfile.mkdtemp(prefix="churn-streamer-faults-")), True
    try:
        plan = Plan(schedule, {fault.kind.name: fault for fault in faults}, minutes)
        trial = make_trial(seed, directory, len(schedule))
        report = asyncio.run(run_campaign(plan, trial, directory, say))
        kept = bool(report.findings)
        return report
    finally:
        if kept:
            print(f"logs and topics are kept in {directory}", flush=True)
        else:
            shutil.rmtree(directory)


def _show_schedule(seed: int, schedule: list[Strike]) -> None:
    print(f"seed {seed}: {len(schedule)} faults")
    for strike in schedule:
        print(f"{strike.number:>5}  {strike}", flush=True)


def _show(report: Report) -> None:
    print("\nfault               tried  lost  same  else  false  missing  other  recovery s: median, max")
    for line in report.faults:
        recovery = (
            "-" if line.recovery_s is None else f"{line.recovery_s.median:.2f} {line.recovery_s.max:.2f}"
        )
        counts = (line.tried, line.lost, line.repeated_identical, line.repeated_different)
        alerts = (line.false_alerts, line.missing_alerts, line.other)
        print(
            f"{line.fault:<19}" + "".join(f"{count:>6}" for count in counts),
            "{:>6}{:>9}{:>7}".format(*alerts),
            f" {recovery}, from {line.recovery_from}",
        )
    for trial in report.trials:
        print(
            f"\n{trial.trial}: {trial.events:,} events, {trial.users:,} users, {trial.alerts:,} alerts, "
            f"{trial.decisions:,} decisions, {trial.dead_letters:,} dead letters; "
            f"{trial.undone_alerts:,} alerts undone with their transactions; "
            f"ends of workers by status: {trial.worker_exits}; {trial.seconds:.0f} s"
        )
        for finding in trial.findings[:SHOWN_FINDINGS]:
            print(f"  {finding.kind}, partition {finding.partition}: {finding.what[:600]}")
        objections = len(trial.findings)
        print(f"{objections} objections" if objections else "nothing lost, repeated, false or missing")
    if report.fuzzing is not None:
        outcome = "FAILED, see above" if report.fuzzing.failed else "each ended as it must"
        print(f"\nfuzzing: {report.fuzzing.inputs:,} inputs, {outcome}; {report.fuzzing.seconds:.0f} s")
    print(f"{report.seconds:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
