"""``streamer replay``: publish files of events to the events topic."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Iterator
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path

import click

from schemas.errors import InputFileError, TopicError
from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.topics import EVENTS, with_prefix
from streamer.cli.file_options import event_files
from streamer.cli.left_out import counted_rows
from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.data.files import ReadCounts, read_events
from streamer.data.files.report_file import report_option, write_report
from streamer.kafka.connection import connection_of
from streamer.kafka.publishing import ReplayProgress, event_records, replay
from streamer.kafka.retention import retention_warning
from streamer.kafka.topics import TopicState, topic_states
from streamer.operations.published import stray_warning
from streamer.settings.settings import Settings


@click.command(name="replay")
@event_files
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="So many times as fast as real time.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="So many events a second.")
@report_option
@settings_option
def command(
    files: tuple[Path, ...], speed: float | None, rate: float | None, report: Path | None, settings: Settings
) -> None:
    """Publish files of events to the events topic, as fast as it goes or at a pace.

    Files: .ndjson (.json, .jsonl) and .csv, both also with .gz or .zst, and .parquet. Several files are
    merged by time, each sorted by itself. Every record bears the time of its event and lies in the partition
    of its user. All files are read once before, so that a wrong row ends the command before anything is
    published; a pipe is not. Where the topic holds records that lie elsewhere than a replay puts their users,
    nothing is published: both would make states of their own.
    """
    if speed is not None and rate is not None:
        raise click.UsageError("--speed and --rate exclude each other.")
    topic, stray = asyncio.run(_events_topic(settings))
    for file in files:
        _check(file)
    with counted_rows() as counts:
        events = _placed(_merged(files, counts), topic.plan.name)
        first = list(islice(events, 1))
        short = (
            retention_warning(
                topic.plan.name, topic.configuration, first[0].timestamp, int(time.time() * 1_000)
            )
            if first
            else None
        )
        warnings = [warning for warning in (stray, short) if warning]
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        with ProgressLine("events") as line:
            progress = asyncio.run(
                replay(
                    connection_of(settings),
                    topic.plan.name,
                    event_records(chain(first, events)),
                    speed=speed,
                    rate=rate,
                    report=lambda progress: line.update(progress.records, progress.last_ms),
                )
            )
        click.echo(f"{progress.records:,} events are in {topic.plan.name} ({progress.records_per_s:,.0f}/s)")
    write_report(report, _figures(topic.plan.name, progress, counts, warnings))


def _check(file: Path) -> None:
    """Read the whole file, so that a wrong row ends the replay before anything of it is published."""
    if not file.is_file():
        return  # A pipe can be read only once.
    try:
        with ProgressLine("events checked") as line:
            for _ in line.counting(read_events(file)):
                pass
    except InputFileError as error:
        raise InputFileError(f"{error} Nothing was published.") from error


def _placed(events: Iterator[Event], topic: str) -> Iterator[Event]:
    """The same events; an error that ends them says how many were published before it."""
    published = 0
    try:
        for event in events:
            yield event
            published += 1
    except InputFileError as error:
        before = (
            f"The {published:,} events before it are in {topic}." if published else "Nothing was published."
        )
        raise InputFileError(f"{error} {before}") from error


async def _events_topic(settings: Settings) -> tuple[TopicState, str | None]:
    """The events topic, and a warning where not all of its records lie where a replay puts them."""
    name = with_prefix(settings.topic_prefix, EVENTS)
    state = next(state for state in await topic_states(settings) if state.plan.name == name)
    if state.partitions is None:
        raise TopicError(f"topic {name} does not exist: create it with `streamer topics --apply`.")
    return state, await stray_warning(settings, name, state.partitions)


def _merged(files: tuple[Path, ...], counts: ReadCounts) -> Iterator[Event]:
    streams = [read_events(file, counts) for file in files]
    return iter(heapq.merge(*streams, key=attrgetter("timestamp"))) if len(streams) > 1 else streams[0]


def _figures(
    topic: str, progress: ReplayProgress, counts: ReadCounts, warnings: list[str]
) -> dict[str, object]:
    times = (progress.first_ms, progress.last_ms)
    first, last = (None if moment is None else format_timestamp(moment) for moment in times)
    return {
        "topic": topic,
        "events": progress.records,
        "bytes": progress.bytes,
        "seconds": round(progress.seconds, 3),
        "events_per_s": round(progress.records_per_s, 1),
        "first_event_at": first,
        "last_event_at": last,
        "skipped": counts.skipped,
        "left_out": counts.figures(),
        "unknown_fields": counts.unknown_fields,
        "warnings": warnings,
    }
