"""``streamer dataset``: a known public source as a file of events."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.progress_line import ProgressLine
from streamer.cli.report import report_option, write_report
from streamer.dataset import SOURCES, dataset_events
from streamer.files import write_events


@click.command(name="dataset")
@click.argument("name", type=click.Choice(list(SOURCES)))
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .parquet, .ndjson or .csv, the last two also with .gz or .zst.",
)
@report_option
def command(name: str, out: Path, report: Path | None) -> None:
    """Turn a known source into a file of events.

    The same source gives the same file, byte for byte, sorted by time and event id.
    """
    with ProgressLine("events") as progress:
        events = write_events(out, progress.counting(dataset_events(name)))
        seconds = progress.seconds
    click.echo(f"{events:,} events of {name} are in {out}")
    write_report(report, {"dataset": name, "file": str(out), "events": events, "seconds": round(seconds, 3)})
