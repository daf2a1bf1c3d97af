"""``streamer train``: a model bundle from any files of events."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from schemas.bundle import Manifest
from schemas.errors import ConfigurationError
from schemas.event import Event
from streamer.cli.report import report_option, write_report
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Duration, Instant
from streamer.core.calendar import UTC
from streamer.files import read_events
from streamer.settings import Settings
from streamer.time_zone import calendar_of


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
    "--train-until",
    "until_ms",
    type=Instant(),
    help="Learn nothing from this time on.  [default: all events]",
)
@click.option(
    "--alerts-a-week",
    type=click.FloatRange(min=0, min_open=True),
    help="Lay the default bands so that so many alerts a week reach watch, half of them high, a quarter "
    "critical.  [default: 2 for every 100 active users]",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@report_option
@settings_option
def command(
    files: Sequence[Path],
    out: Path,
    name: str,
    churn_types: str,
    horizon_ms: int,
    active_ms: int,
    until_ms: int | None,
    alerts_a_week: float | None,
    seed: int,
    report: Path | None,
    settings: Settings,
) -> None:
    """Train a model on FILES of events and write a bundle: manifest, ONNX graphs, golden vectors.

    The same events, options, settings and seed give the same bundle on the same machine and libraries. Of
    the settings time_zone and currency count; the worker should have the same.
    """
    calendar = UTC if settings.time_zone is None else calendar_of(settings.time_zone)
    train_from_events = _trainer()
    from streamer.cli.stage_progress import StageProgress

    started = time.monotonic()
    with StageProgress() as progress:
        manifest = train_from_events(
            _events(files),
            out,
            name=name,
            churn_types=churn_types,
            horizon_ms=horizon_ms,
            active_ms=active_ms,
            until_ms=until_ms,
            alerts_a_week=alerts_a_week,
            seed=seed,
            calendar=calendar,
            currency=settings.currency,
            report=progress.report,
        )
    seconds = time.monotonic() - started
    figures = manifest.metrics
    click.echo(
        f"bundle {out}: AUROC {figures['validation_auroc']:.3f}, Brier {figures['validation_brier']:.3f} on "
        f"{figures['validation_n']:,.0f} validation questions; {seconds:.0f} s"
    )
    made = {"bundle": str(out), "name": name, "version": manifest.version, "seconds": round(seconds, 1)}
    write_report(report, {**made, **figures})


def _events(files: Sequence[Path]) -> Iterator[Event]:
    for file in files:
        yield from read_events(file)


def _trainer() -> Callable[..., Manifest]:
    """Training, which alone needs torch; raises ``ConfigurationError`` where that is missing."""
    try:
        return importlib.import_module("models.from_events").train_from_events
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, and training needs it: pip install 'churn-streamer[train]'"
        ) from error
