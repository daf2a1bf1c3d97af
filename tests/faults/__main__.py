"""``python -m tests.faults``: a campaign on this machine, with its own Kafka."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.faults.campaign import Plan, run_campaign
from tests.faults.inject.catalogue import FAULTS
from tests.faults.report import Report
from tests.faults.schedule import draw_schedule, only

DEFAULT_MINUTES = 40.0
SHOWN_FINDINGS = 40


def main() -> int:
    """0 when nothing was lost, repeated, false or missing; 1 otherwise; 2 for wrong use."""
    arguments = _arguments()
    try:
        kinds = only([fault.kind for fault in FAULTS], arguments.only)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    times = None if arguments.times is None else {kind.name: arguments.times for kind in kinds}
    schedule = draw_schedule(arguments.seed, kinds, times)
    chosen = {fault.kind.name: fault for fault in FAULTS if fault.kind in kinds}
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {line}", flush=True)

    print(f"seed {arguments.seed}: {len(schedule)} faults")
    for strike in schedule:
        print(f"{strike.number:>5}  {strike}")
    directory = Path(tempfile.mkdtemp(prefix="churn-streamer-faults-"))
    plan = Plan(arguments.seed, schedule, chosen, arguments.minutes)
    kept = True
    try:
        report = asyncio.run(run_campaign(plan, directory, say))
        kept = bool(report.findings)
    finally:
        if kept:
            print(f"logs and topics are kept in {directory}", flush=True)
        else:
            shutil.rmtree(directory)
    if arguments.report is not None:
        arguments.report.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    _show(report)
    return 1 if report.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides schedule and load")
    parser.add_argument("--report", type=Path, help="write the figures as JSON")
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAULT", help="this fault alone; repeatable"
    )
    parser.add_argument("--times", type=int, help="how often each fault strikes, instead of its own number")
    parser.add_argument(
        "--minutes", type=float, default=DEFAULT_MINUTES, help="when the last fault may begin"
    )
    return parser.parse_args()


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
    print(
        f"\n{report.events:,} events, {report.users:,} users, {report.alerts:,} alerts, "
        f"{report.decisions:,} decisions, {report.dead_letters:,} dead letters; "
        f"{report.undone_alerts:,} alerts undone with their transactions; "
        f"ends of workers by status: {report.worker_exits}; {report.seconds:.0f} s"
    )
    for finding in report.findings[:SHOWN_FINDINGS]:
        print(f"  {finding.kind}, partition {finding.partition}: {finding.what[:600]}")
    objections = len(report.findings)
    print(f"{objections} objections" if objections else "nothing lost, repeated, false or missing")


if __name__ == "__main__":
    sys.exit(main())
