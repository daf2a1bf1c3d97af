"""``streamer evaluate``: how good a bundle's risks are, beside baselines, on cuts whose outcome is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schemas.errors import ConfigurationError
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.cli.analysis.alert_tables import alert_tables
from streamer.cli.analysis.evaluation import Answer, EvaluationQuestion, answer, doubt, question
from streamer.cli.analysis.evaluation_notes import notes_of
from streamer.cli.file_options import bundle_option, event_files
from streamer.cli.left_out import counted_rows
from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Duration, Instants
from streamer.data.files import ReadCounts
from streamer.data.files.report_file import report_option, write_report
from streamer.inference.bundle import load_bundle
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.settings.settings import Settings
from streamer.settings.time_zone import check_time_zone

if TYPE_CHECKING:
    from models.evaluation.result import Evaluation


@click.command(name="evaluate")
@event_files
@bundle_option
@click.option(
    "--at",
    "at_ms",
    required=True,
    type=Instants(),
    help="Judge the risks as of these times by what happened within the horizon after each.",
)
@click.option(
    "--churn-types",
    type=click.Choice(["purchase", "any"]),
    help="The events whose absence is churn.  [default: the bundle's]",
)
@click.option(
    "--horizon",
    "horizon_ms",
    type=Duration(),
    help="Churn is none of them for so long.  [default: the bundle's]",
)
@click.option(
    "--active",
    "active_ms",
    type=Duration(),
    help="At risk are users with an event so long before each time.  [default: the bundle's]",
)
@click.option(
    "--alerts-a-week",
    type=click.FloatRange(min=0, min_open=True),
    help="Also replay alerts from the first time on, with bands that give so many a week for each model.",
)
@click.option(
    "--ablations",
    is_flag=True,
    help="Also train the bundle's recipe anew, on aggregates alone and on the sequence alone. Takes a while.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write plots and tables as one HTML page."
)
@click.option(
    "--markdown",
    "markdown_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all tables as Markdown.",
)
@report_option
@settings_option
def command(
    files: Sequence[Path],
    bundle_path: Path,
    at_ms: tuple[int, ...],
    churn_types: str | None,
    horizon_ms: int | None,
    active_ms: int | None,
    alerts_a_week: float | None,
    ablations: bool,
    html: Path | None,
    markdown_file: Path | None,
    report: Path | None,
    settings: Settings,
) -> None:
    """Judge a bundle on FILES of events, beside recency, RFM, gradient boosting and BG/NBD.

    The baselines are fitted to what lies before the first time and within the bundle's training window. Of
    the settings those count that decide what a score is.
    """
    bundle = load_bundle(bundle_path, root=settings.bundle_root)
    check_time_zone(settings.time_zone, bundle.manifest.time_zone)
    asked = question(bundle.manifest, at_ms, churn_types, horizon_ms, active_ms)
    with counted_rows() as counts, ProgressLine("events") as line:
        found = answer(
            files,
            counts,
            bundle,
            asked,
            settings,
            line,
            alerts_a_week=alerts_a_week,
            ablations=ablations,
        )
        seconds = line.seconds
    # Not at the top: what models need, only those who train have installed.
    from models.evaluation.page.page import page
    from models.evaluation.page.table import BY_ACTIVITY, Table, markdown, tables_of, tables_of_decline

    flattered = doubt(asked)
    if flattered is not None:
        click.echo(f"warning: {flattered}", err=True)
    tables = tables_of(found.beside.evaluation)
    declined = _declined(found)
    if declined is not None:
        tables += tables_of_decline(declined)
    if found.alerts:
        title = f"Alerts at {alerts_a_week:g} a week, from {format_timestamp(min(at_ms))} on"
        tables += [Table(title, *table) for table in alert_tables(found.alerts)]
    notes = notes_of(bundle, asked, found)
    shown = [table for table in tables if not table.title.lower().endswith(BY_ACTIVITY.lower())]
    click.echo("\n".join([*notes, "", *map(markdown, shown)]).rstrip())
    title = f"{bundle.manifest.name} {bundle.manifest.version} on {found.dataset}"
    if markdown_file is not None:
        _write(
            "--markdown", markdown_file, "\n".join([f"## {title}", "", *notes, "", *map(markdown, tables)])
        )
    if html is not None:
        remarks = [*notes, flattered] if flattered is not None else notes
        _write("--html", html, page(title, remarks, found.beside.evaluation, tables))
    write_report(report, _figures(bundle, asked, found, counts, seconds))


def _declined(found: Answer) -> Evaluation | None:
    return None if found.beside.decline is None else found.beside.decline.evaluation


def _figures(
    bundle: Bundle, asked: EvaluationQuestion, found: Answer, counts: ReadCounts, seconds: float
) -> dict[str, object]:
    manifest, evaluation = bundle.manifest, found.beside.evaluation
    decline, declined = found.beside.decline, _declined(found)
    both = [evaluation] if declined is None else [evaluation, declined]
    left_out = [] if decline is None else decline.left_out
    return {
        "dataset": found.dataset,
        "model": {"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256},
        "training_window": manifest.training_window,
        "churn_types": asked.churn_types,
        "horizon_days": asked.horizon_ms / DAY_MS,
        "active_days": asked.active_ms / DAY_MS,
        "at": [format_timestamp(at) for at in asked.at_ms],
        "baselines_know_until": format_timestamp(found.beside.fitted_until_ms),
        "warning": doubt(asked),
        "draws": evaluation.draws,
        "seconds": round(seconds, 3),
        "left_out": counts.figures(),
        "window_days": manifest.window_days,
        "not_judged_by_decline": [format_timestamp(at) for at in left_out],
        "rows": [row for each in both for row in each.rows],
        "segments": [row for each in both for row in each.segments],
        "differences": [row for each in both for row in each.differences],
        "alerts": found.alerts,
    }


def _write(option: str, path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{option} {path} cannot be written: {error.strerror}") from error
