"""``streamer backtest``: the alerts that a model and a policy would have raised, and how right they were."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from schemas.bundle.manifest import Manifest
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.judgement import Period
from streamer.analysis.backtest.run import Backtest, BacktestRow, decline_judge, shop_of
from streamer.cli.analysis.alert_tables import alert_tables
from streamer.cli.file_options import bundle_option, event_files
from streamer.cli.left_out import counted_rows
from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Instant
from streamer.core.model.risk_model import RiskModel
from streamer.data.files import read_files
from streamer.data.files.report_file import report_option, write_report
from streamer.inference.bundle import load_bundle
from streamer.inference.key_values.arena_size import arena_users
from streamer.inference.risk_model import OnnxRiskModel
from streamer.policy.file import load_policy
from streamer.settings.settings import Settings
from streamer.settings.time_zone import check_time_zone


@click.command(name="backtest")
@event_files
@bundle_option
@click.option(
    "--from",
    "from_ms",
    required=True,
    type=Instant(),
    help="Judge the alerts raised from this time on.",
)
@click.option(
    "--to",
    "to_ms",
    type=Instant(),
    help="Until then.  [default: a horizon, or the window of a decline, before the files end]",
)
@click.option(
    "--alerts-a-week",
    type=click.FloatRange(min=0, min_open=True),
    help="Compare the model with baselines, each with bands that give so many alerts a week.",
)
@report_option
@settings_option
def command(
    files: Sequence[Path],
    bundle_path: Path,
    from_ms: int,
    to_ms: int | None,
    alerts_a_week: float | None,
    report: Path | None,
    settings: Settings,
) -> None:
    """Replay FILES of events through a policy and a model, and judge the alerts by what users did.

    The decisions are those of a worker in event-time mode on one partition. An alert is right when no event
    of the churn kind follows within the horizon; of a bundle that foretells decline also each customer's
    first one is judged, by the visits and the money of the window after it. The policy is that of the
    settings (STREAMER_POLICY).
    """
    bundle = load_bundle(bundle_path, settings.device, settings.arena_precision, settings.bundle_root)
    manifest = bundle.manifest
    check_time_zone(settings.time_zone, manifest.time_zone)
    model = OnnxRiskModel(bundle, arena_users(bundle, settings.arena_mb))
    policy = load_policy(settings.policy, manifest, settings.disorder_s)
    with counted_rows() as counts:
        events = sorted(read_files(files, counts), key=lambda event: event.timestamp)
    shop = shop_of(events, manifest.churn_definition.types == "any", settings.currency)
    period = _period(from_ms, to_ms, shop.outcomes.end_ms, manifest)
    active_ms = round(manifest.churn_definition.active_days * DAY_MS)
    with ProgressLine("events") as line:
        backtest = Backtest(shop, period, line.stage, decline_judge(shop, period, model, active_ms))
        rows = [backtest.of_policy("policy", model, policy)]
        if alerts_a_week is not None:
            baselines = _baselines(events, from_ms, manifest, settings, model)
            rows += backtest.compared(model, policy, baselines, alerts_a_week)
        seconds = line.seconds
    click.echo(
        f"raised from {format_timestamp(period.from_ms)} to {format_timestamp(period.to_ms)}; "
        f"{rows[0].judgement.departures:,} departures"
    )
    _show(rows)
    write_report(
        report,
        {
            "from": format_timestamp(period.from_ms),
            "to": format_timestamp(period.to_ms),
            "horizon_days": manifest.horizon_days,
            "window_days": manifest.window_days,
            "alerts_a_week": alerts_a_week,
            "model": {"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256},
            "seconds": round(seconds, 3),
            "left_out": counts.figures(),
            "rows": rows,
        },
    )


def _period(from_ms: int, to_ms: int | None, end_ms: int, manifest: Manifest) -> Period:
    """What is judged: until ``to_ms``, or as long as the files tell what comes after an alert."""
    latest_ms = end_ms - round(manifest.risk_days * DAY_MS)
    if to_ms is not None and to_ms <= from_ms:
        raise ConfigurationError("--to must be later than --from")
    if to_ms is not None and to_ms > latest_ms >= from_ms:
        raise ConfigurationError(
            f"--to {format_timestamp(to_ms)}: the {manifest.risk_days:g} days after it are not in the files: "
            f"give a --to of {format_timestamp(latest_ms)} at the latest, or newer events"
        )
    return Period(
        from_ms, latest_ms if to_ms is None else min(to_ms, latest_ms), round(manifest.horizon_days * DAY_MS)
    )


def _baselines(
    events: Sequence[Event], from_ms: int, manifest: Manifest, settings: Settings, model: RiskModel
) -> dict[str, RiskModel]:
    return _fit_baselines()(
        events,
        from_ms,
        churn_types=manifest.churn_definition.types,
        horizon_ms=round(manifest.horizon_days * DAY_MS),
        active_ms=round(manifest.churn_definition.active_days * DAY_MS),
        currency=settings.currency,
        like=model,
    )


def _fit_baselines() -> Callable[..., dict[str, RiskModel]]:
    """The fit, which needs what training needs; raises ``ConfigurationError`` where that is missing."""
    try:
        return importlib.import_module("models.baselines.alerts").fit_baselines
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, and --alerts-a-week needs it: "
            "pip install 'churn-streamer[train]'"
        ) from error


def _show(rows: Sequence[BacktestRow]) -> None:
    for columns, rows_of_cells in alert_tables(rows):
        cells = [columns, *rows_of_cells]
        widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
        for row in cells:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
