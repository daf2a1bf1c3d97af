"""``streamer export``: a topic into a file."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Instant
from streamer.data.files.export import ExportCounts, export_records
from streamer.data.files.report_file import report_option, write_report
from streamer.kafka.connection import connection_of
from streamer.kafka.reading import open_topic
from streamer.settings.settings import Settings


@click.command(name="export")
@click.argument("topic")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Events: .parquet, .ndjson or .csv; other topics: .ndjson. Text also .gz or .zst.",
)
@click.option("--from", "from_ms", type=Instant(), help="Only records from this time on (Kafka timestamp).")
@click.option("--to", "to_ms", type=Instant(), help="Only records before this time.")
@report_option
@settings_option
def command(
    topic: str, out: Path, from_ms: int | None, to_ms: int | None, report: Path | None, settings: Settings
) -> None:
    """Write what a topic holds into a file: committed records, up to the ends as of now.

    TOPIC is a name with or without the configured prefix; the topic that has it is read. The events topic
    gives a file of events, topics of JSON messages one message a line, any other topic (dead letters) one
    record a line with key, headers and value.
    """
    with (
        open_topic(connection_of(settings), settings.topic_prefix, topic) as reader,
        ProgressLine("records") as line,
    ):
        counts = ExportCounts()
        records = line.counting(reader.records(from_ms, to_ms))
        name = reader.topic.removeprefix(settings.topic_prefix)
        export_records(out, name, records, counts, settings.event_format)
        seconds = line.seconds
    click.echo(f"{counts.written:,} records of {reader.topic} are in {out}")
    for reason, count in counts.left_out.items():
        click.echo(f"{count:,} records were left out: {reason}", err=True)
    write_report(
        report,
        {
            "topic": reader.topic,
            "file": str(out),
            "records": counts.written,
            "left_out": counts.left_out,
            "seconds": round(seconds, 3),
        },
    )
