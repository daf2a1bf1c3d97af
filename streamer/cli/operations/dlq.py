"""``streamer dlq``: look at dead letters, and send them again."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec

from schemas.errors import TopicError
from schemas.topics import DEAD_LETTERS
from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.data.files.report_file import report_option, write_report
from streamer.settings.settings import Settings

cause_option = click.option(
    "--cause", help="Only of this cause: an id as `streamer dlq list` shows it, or an error class."
)
json_option = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")


@click.group(name="dlq")
def command() -> None:
    """Look at dead letters by cause, and send them again.

    Dead letters are records that could not be processed: churn.dlq.v1 holds their bytes, untouched.
    """


@command.command(name="list")
@json_option
@settings_option
def list_causes(as_json: bool, settings: Settings) -> None:
    """Count dead letters by cause: error class and message, but for what differs each time."""
    from streamer.kafka.connection import connection_of
    from streamer.kafka.reading import open_topic
    from streamer.operations.dead_letters.letters import letters_in
    from streamer.operations.dead_letters.summary import summarise
    from streamer.operations.dead_letters.wording import causes_in_words

    connection = connection_of(settings)
    with (
        open_topic(connection, settings.topic_prefix, DEAD_LETTERS) as reader,
        ProgressLine("records") as line,
    ):
        causes = summarise(letters_in(line.counting(reader.records())))
        others = line.count - sum(cause.count for cause in causes)
    if as_json:
        _print_json({"dead_letters": line.count - others, "causes": causes})
    else:
        click.echo(causes_in_words(causes))
    if others:
        click.echo(f"{others:,} records of {reader.topic} are no dead letters", err=True)


@command.command(name="show")
@cause_option
@click.option(
    "--partition", type=click.IntRange(min=0), help="With --offset: the dead letter that lies there."
)
@click.option("--offset", type=click.IntRange(min=0), help="See --partition.")
@json_option
@settings_option
def show(
    cause: str | None, partition: int | None, offset: int | None, as_json: bool, settings: Settings
) -> None:
    """Show one dead letter whole: the newest, the newest of a cause, or the one at a place."""
    from streamer.kafka.connection import connection_of
    from streamer.kafka.reading import open_topic
    from streamer.operations.dead_letters.letters import letters_in
    from streamer.operations.dead_letters.wording import letter_as_object, letter_in_words

    if (partition is None) != (offset is None):
        raise click.UsageError("--partition and --offset go together")
    place, found = None if partition is None else (partition, offset), None
    with (
        open_topic(connection_of(settings), settings.topic_prefix, DEAD_LETTERS) as reader,
        ProgressLine("records") as line,
    ):
        for letter in letters_in(line.counting(reader.records()), cause):
            if place in (None, (letter.record.partition, letter.record.offset)):
                found = letter
    if found is None:
        raise _nothing_found(cause)
    if as_json:
        _print_json(letter_as_object(found))
    else:
        click.echo(letter_in_words(found))


@command.command(name="redrive")
@cause_option
@click.option("--apply", is_flag=True, help="Send; without it, only say what would be sent.")
@report_option
@settings_option
def redrive(cause: str | None, apply: bool, report: Path | None, settings: Settings) -> None:
    """Send dead letters again to where they failed, as they were; none is ever sent twice.

    Without --apply nothing is sent. Reads the source topic from the oldest of the dead letters on, to see
    which were sent again before. One that fails again is a dead letter again, with one attempt more.
    """
    from streamer.kafka.connection import connection_of
    from streamer.kafka.reading import open_topic
    from streamer.operations.dead_letters.letters import letters_in
    from streamer.operations.dead_letters.redrive import Selection, batches, sources_of
    from streamer.operations.dead_letters.sender import open_sender
    from streamer.operations.dead_letters.source_trace import trace

    connection, prefix = connection_of(settings), settings.topic_prefix
    with (
        open_topic(connection, prefix, DEAD_LETTERS) as reader,
        # Before anything is looked up: nobody else sends from here on.
        open_sender(connection, settings.group_id) if apply else nullcontext() as sender,
        ProgressLine("records") as line,
    ):
        places = sources_of(letters_in(reader.records(), cause), prefix)
        selection = Selection(places, asyncio.run(trace(connection, places, line.update)), prefix)
        sent = 0
        for batch in batches(selection.records(letters_in(reader.records(), cause))):
            if sender is not None:
                sender.send(batch)
            sent += len(batch)
            line.update(sent)
    if cause is not None and not selection.counts:
        raise _nothing_found(cause)
    for counts in selection.counts:
        click.echo(_in_words(counts, apply))
    if apply:
        click.echo(f"{sent:,} records were sent again")
    else:
        click.echo(f"{sent:,} records would be sent again; nothing was sent, --apply sends them")
    write_report(
        report, {"applied": apply, "redriven": sent, "causes": msgspec.to_builtins(selection.counts)}
    )


def _in_words(counts: Any, apply: bool) -> str:
    parts = [f"{counts.redriven:,} {'sent' if apply else 'to send'}"]
    if counts.redriven_before:
        parts.append(f"{counts.redriven_before:,} sent before")
    if counts.gone:
        parts.append(f"{counts.gone:,} left out: the source topic no longer holds what failed")
    if counts.foreign:
        parts.append(f"{counts.foreign:,} left out: from a topic that this deployment does not read")
    if counts.incomplete:
        parts.append(
            f"{counts.incomplete:,} left out: too large for a dead letter to hold them whole; `streamer "
            "dlq show` says where they come from, and only their sender can send them again"
        )
    return f"{counts.id}  {counts.error_class}: {', '.join(parts)}"


def _nothing_found(cause: str | None) -> TopicError:
    what = "no such dead letter" if cause is None else f"no dead letter of the cause {cause}"
    return TopicError(f"there is {what}; `streamer dlq list` shows what is there")


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
