"""``streamer train``: a model bundle from any files of events."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from schemas.errors import ConfigurationError
from streamer.cli import INTERRUPTED
from streamer.cli.analysis.training_tables import ablation_table, decline_lines, fold_table
from streamer.cli.interruptible import interruptible
from streamer.cli.left_out import counted_rows
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Duration, Instant
from streamer.core.history.calendar import UTC
from streamer.data.files import read_files
from streamer.data.files.report_file import report_option, write_report
from streamer.settings.settings import Settings
from streamer.settings.time_zone import calendar_of


@click.command(name="train")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the bundle."
)
@click.option("--name", default="churn", show_default=True, help="Name of the model, as alerts show it.")
@click.option(
    "--churn-types",
    type=click.Choice(["purchase", "any"]),
    default="purchase",
    show_default=True,
    help="The events whose absence is churn.",
)
@click.option("--horizon", "horizon_ms", type=Duration(), default="28d", show_default=True)
@click.option(
    "--active",
    "active_ms",
    type=Duration(),
    default="60d",
    show_default=True,
    help="Calibrate for users with an event this recently.",
)
@click.option(
    "--definition",
    type=click.Choice(["decline", "absence"]),
    default="decline",
    show_default=True,
    help="Who is being lost: who comes on fewer than half of the usual days within the window, or who stays "
    "away for the horizon.",
)
@click.option(
    "--window",
    "window_ms",
    type=Duration(),
    default="56d",
    show_default=True,
    help="Within which a decline shows.",
)
@click.option(
    "--train-until",
    "until_ms",
    type=Instant(),
    help="Learn nothing from this time on.  [default: all events]",
)
@click.option(
    "--alerts-a-week",
    type=click.FloatRange(min=0, min_open=True),
    help="Lay the default bands so that so many alerts a week reach watch, half of them high, a quarter "
    "critical; of decline each customer counts once.  [default: 2 for every 100 active users]",
)
@click.option(
    "--profile",
    type=click.Choice(["small", "base"]),
    default="base",
    show_default=True,
    help="Size of the network.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Compare the variants over so many seeds, from --seed on.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="Also cross validate the chosen variant, split by users.  [default: no]",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoints that an unfinished training left.")
@report_option
@settings_option
def command(
    files: Sequence[Path],
    out: Path,
    name: str,
    churn_types: str,
    horizon_ms: int,
    active_ms: int,
    definition: str,
    window_ms: int,
    until_ms: int | None,
    alerts_a_week: float | None,
    profile: str,
    seed: int,
    seeds: int,
    folds: int | None,
    resume: bool,
    report: Path | None,
    settings: Settings,
) -> int:
    """Train a model on FILES of events and write a bundle: manifest, ONNX graphs, golden vectors.

    The same events, options, settings and seed give the same bundle on the same machine and libraries. Of
    the settings time_zone and currency count; the worker should have the same.

    Ctrl-C ends training with the best so far, twice at once. Checkpoints lie beside the bundle until it is
    complete.
    """
    calendar = UTC if settings.time_zone is None else calendar_of(settings.time_zone)
    train_from_events, interruption = _trainer()
    from streamer.cli.stage_progress import StageProgress

    started = time.monotonic()
    with counted_rows() as counts, StageProgress() as progress, interruptible(interruption):
        manifest, done = train_from_events(
            read_files(files, counts),
            out,
            name=name,
            churn_types=churn_types,
            horizon_ms=horizon_ms,
            active_ms=active_ms,
            definition=definition,
            window_ms=window_ms,
            until_ms=until_ms,
            alerts_a_week=alerts_a_week,
            profile=profile,
            seed=seed,
            seeds=seeds,
            folds=folds or 0,
            resume=resume,
            calendar=calendar,
            currency=settings.currency,
            report=progress,
            interruption=interruption,
        )
    seconds = time.monotonic() - started
    figures = manifest.metrics
    click.echo(
        f"bundle {out}: {manifest.variant}, AUROC {figures['validation_auroc']:.3f}, "
        f"Brier {figures['validation_brier']:.3f} on {figures['validation_n']:,.0f} validation questions; "
        f"{seconds:.0f} s"
    )
    for line in decline_lines(manifest):
        click.echo(line)
    for line in ablation_table(manifest.ablation):
        click.echo(line)
    by_fold = [{"n": fold.questions, **fold.figures} for fold in done]
    for line in fold_table(by_fold):
        click.echo(line)
    made = {
        "bundle": str(out),
        "name": name,
        "version": manifest.version,
        "seconds": round(seconds, 1),
        "variant": manifest.variant,
        "interrupted": manifest.interrupted,
        "definition": manifest.definition,
        "left_out": counts.figures(),
    }
    loss = msgspec.to_builtins(manifest.expected_loss)
    ablation = [msgspec.to_builtins(one) for one in manifest.ablation]
    write_report(report, {**made, **figures, "expected_loss": loss, "ablation": ablation, "folds": by_fold})
    if not interruption.requested:
        return 0
    what = "with the best so far" if manifest.interrupted else "after the bundle was complete"
    click.echo(f"interrupted {what}; the same command with --resume goes on", err=True)
    return INTERRUPTED


def _trainer() -> tuple[Callable[..., Any], Any]:
    """Training, which alone needs torch, and what interrupts it.

    Raises ``ConfigurationError`` where torch is missing.
    """
    try:
        train = importlib.import_module("models.from_events").train_from_events
        return train, importlib.import_module("models.loop.progress").Interruption()
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, and training needs it: pip install 'churn-streamer[train]'"
        ) from error
