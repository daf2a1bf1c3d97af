"""``streamer score``: the worker's scores, computed offline from files of events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from schemas.errors import ConfigurationError
from streamer.analysis.scoring.history import records_of
from streamer.analysis.scoring.score_files import COLUMNS, write_scores
from streamer.analysis.scoring.scores import UserScore, scores_at
from streamer.cli.file_options import bundle_option, event_files
from streamer.cli.left_out import counted_rows
from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Instant
from streamer.data.files import ReadCounts, read_files
from streamer.data.files.kind import kind_of
from streamer.data.files.report_file import report_option, write_report
from streamer.inference.bundle import load_bundle
from streamer.inference.key_values.arena_size import arena_users
from streamer.inference.risk_model import OnnxRiskModel
from streamer.settings.settings import MAX_GAP_DAYS, Settings
from streamer.testing import StageDriver
from streamer.worker.run import build_stage


@click.command(name="score")
@event_files
@bundle_option
@click.option(
    "--at", "at_ms", required=True, type=Instant(), help="Score as of this time, on the events before it."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .ndjson or .csv, also with .gz or .zst, or .parquet.  [default: a table]",
)
@report_option
@settings_option
def command(
    files: Sequence[Path],
    bundle_path: Path,
    at_ms: int,
    out: Path | None,
    report: Path | None,
    settings: Settings,
) -> None:
    """Score every user of FILES of events at one time: the scores that a worker has then.

    The worker's own code, run without Kafka. The highest risk comes first. Settings that decide what a score
    is are read as the worker reads them.
    """
    if out is not None:
        kind_of(out)
    with counted_rows() as counts, ProgressLine("events") as line:
        scores, events = _scores(line, files, counts, bundle_path, at_ms, settings)
        seconds = line.seconds
    if out is None:
        _show(scores)
    else:
        try:
            write_scores(out, scores)
        except OSError as error:
            raise ConfigurationError(f"--out {out} cannot be written: {error.strerror}") from error
        click.echo(f"scores of {len(scores):,} users are in {out}")
    figures = {"users": len(scores), "events": events, "seconds": round(seconds, 3)}
    file = None if out is None else str(out)
    write_report(report, {**figures, "file": file, "left_out": counts.figures()})


def _scores(
    line: ProgressLine,
    files: Sequence[Path],
    counts: ReadCounts,
    path: Path,
    at_ms: int,
    settings: Settings,
) -> tuple[list[UserScore], int]:
    """The scores, and how many events came before ``at_ms``."""
    bundle = load_bundle(path, settings.device, settings.arena_precision, settings.bundle_root)
    settings = msgspec.structs.replace(
        settings,
        mode="event-time",
        longest_gap_days=MAX_GAP_DAYS,
        bundle=path,
        event_format="contract",
        repartition=False,
    )
    records = records_of(read_files(files, counts), at_ms)
    partition = StageDriver(build_stage(settings, bundle, partitions=1))
    done = 0
    for batch in partition.apply(records):
        done += batch.records
        line.update(done, records[done - 1].timestamp_ms)
    # What falls due by then, expiry above all, is decided as by a worker that has waited for late events.
    partition.let_time_pass(at_ms + round(settings.disorder_s * 1000))
    users = partition.users()
    model = OnnxRiskModel(bundle, arena_users(bundle, settings.arena_mb))
    moments = dict.fromkeys(users, at_ms)
    manifest = bundle.manifest
    any_event_returns = manifest.churn_definition.types == "any"
    scores = scores_at(users, moments, model, manifest.risk_days, any_event_returns=any_event_returns)
    return scores, len(records)


def _show(scores: Sequence[UserScore]) -> None:
    rows = [COLUMNS, *(tuple(_cell(value) for value in msgspec.structs.astuple(score)) for score in scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.6f}" if value < 1.0 else f"{value:g}"
