"""``streamer bench``: speed beside the peers."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.bench.input.sizes import FULL, QUICK, WORKLOADS, WorkloadName
from streamer.cli.progress_line import ProgressLine
from streamer.data.files.report_file import report_option


@click.command(name="bench")
@click.option("--quick", is_flag=True, help="Fewer users, events and rounds: some minutes.")
@report_option
@click.option("--only", type=click.Choice(WORKLOADS), help="One workload instead of all.")
def command(quick: bool, report: Path | None, only: WorkloadName | None) -> int:
    """How many events a second are scored, beside other ways of doing it and beside what nobody can avoid.

    Starts Apache Kafka on this machine, gives users a long past, and lets a worker, a plain Faust agent, a
    Quix Streams application and an aiokafka loop score prepared backlogs in turn, round after round. Shows
    events a second of processor time and of wall time, latency and memory. With --report the figures are
    written as JSON, and a plot beside it as SVG. Ctrl-C ends everything.
    """
    from streamer.bench.session import run_session

    with ProgressLine("") as line:
        return run_session(QUICK if quick else FULL, (only,) if only else WORKLOADS, report, line.say)
