"""``streamer dataset``: a known source as a file of events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from streamer.cli.data.dataset_simulated import simulated
from streamer.cli.progress_line import ProgressLine
from streamer.data.datasets import SOURCES, Source, dataset_events
from streamer.data.files import write_events
from streamer.data.files.report_file import report_option, write_report


@click.group(name="dataset")
def command() -> None:
    """Turn a known source into a file of events, .parquet, .ndjson or .csv, the last two also .gz or .zst.

    The same source gives the same file, byte for byte, sorted by time and event id.
    """


def _source_command(name: str, source: Source) -> click.Command:
    def write(out: Path, file: Path | None = None, report: Path | None = None) -> None:
        skipped: Counter[str] = Counter()
        with ProgressLine("events") as progress:
            events = write_events(out, progress.counting(dataset_events(name, file, skipped)))
            seconds = progress.seconds
        click.echo(f"{events:,} events of {name} are in {out}")
        for reason, count in sorted(skipped.items()):
            click.echo(f"skipped: {count:,} {reason}", err=True)
        figures = {
            "dataset": name,
            "file": str(out),
            "events": events,
            "skipped": dict(sorted(skipped.items())),
        }
        write_report(report, {**figures, "seconds": round(seconds, 3)})

    options = [
        click.Option(
            ["--out"],
            required=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="File to write: .parquet, .ndjson or .csv, the last two also with .gz or .zst.",
        )
    ]
    if source.file is not None:
        path = click.Path(exists=True, dir_okay=False, path_type=Path)
        options.append(click.Option(["--from", "file"], type=path, help=source.file))
    return report_option(click.Command(name, callback=write, params=[*options], help=source.summary))


for _name, _source in SOURCES.items():
    command.add_command(_source_command(_name, _source))
command.add_command(simulated)
