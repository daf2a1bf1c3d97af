"""``streamer inspect``: whether files of events are fit to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from schemas.errors import ConfigurationError
from streamer.analysis.inspection.advice import advice_on
from streamer.analysis.inspection.collected import Collected
from streamer.analysis.inspection.figures import figures_of
from streamer.analysis.inspection.page import WORDS, page
from streamer.analysis.inspection.tables import Table, tables_of
from streamer.cli.file_options import event_files
from streamer.cli.progress_line import ProgressLine
from streamer.data.files.reading import read_rows
from streamer.data.files.report_file import report_option, write_report


@click.command(name="inspect")
@event_files
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the same as one HTML page."
)
@report_option
def command(files: Sequence[Path], html: Path | None, report: Path | None) -> None:
    """Tell whether FILES of events are fit to train on, and what to mend before.

    Rows that would stop another command are counted here. What is said of horizons is for the default of
    `streamer train`.
    """
    found = Collected()
    with ProgressLine("rows") as line:
        for file in files:
            found.read(line.counting(read_rows(file)))
    figures = figures_of(found)
    advice, tables = advice_on(figures), tables_of(figures)
    for table in tables:
        _show(table)
    for one in advice:
        click.echo(f"{WORDS[one.weight]}: {one.text}")
    names = [str(file) for file in files]
    if html is not None:
        try:
            html.write_text(page(names, advice, tables), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--html {html} cannot be written: {error.strerror}") from error
    write_report(report, {"files": names, "figures": figures, "advice": advice})


def _show(table: Table) -> None:
    click.echo(table.title)
    rows = [table.columns, *table.cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    for row in rows:
        click.echo(f"  {'  '.join(map(str.ljust, row, widths))}".rstrip())
    click.echo()
