"""``streamer dataset simulated``: a shop whose truth is known."""

from __future__ import annotations

from pathlib import Path

import click

from schemas.errors import ConfigurationError
from streamer.cli.progress_line import ProgressLine
from streamer.cli.times import Duration, Instants
from streamer.data.datasets.simulated import MAX_DAYS, MAX_USERS, Shop, UserTruth
from streamer.data.files import write_events
from streamer.data.files.kind import kind_of
from streamer.data.files.records import write_records
from streamer.data.files.report_file import report_option, write_report

_SHORTEST_HORIZON_MS = 90_000


@click.command(name="simulated")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .parquet, .ndjson or .csv, the last two also with .gz or .zst.",
)
@click.option("--users", type=click.IntRange(1, MAX_USERS), default=4_000, show_default=True)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    default=180,
    show_default=True,
    help="Length of the span, which begins on 1 January 2025.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write each user's leave time and, at each of --at, the Bayes-optimal probability of no event "
    "within --horizon. Kinds as for --out.",
)
@click.option("--at", "cuts_ms", type=Instants(), default=(), help="The moments that --truth is about.")
@click.option("--horizon", "horizon_ms", type=Duration(), default="14d", show_default=True)
@report_option
def simulated(
    out: Path,
    users: int,
    days: int,
    seed: int,
    truth: Path | None,
    cuts_ms: tuple[int, ...],
    horizon_ms: int,
    report: Path | None,
) -> None:
    """A shop with a known truth: the order of actions says who is leaving, counts and gaps hardly do.

    The same options give the same files, byte for byte; events are sorted by time and event id.
    """
    if (truth is None) != (not cuts_ms):
        raise ConfigurationError("--truth and --at need each other: a file, and the moments it is about.")
    if horizon_ms < _SHORTEST_HORIZON_MS:
        raise ConfigurationError("--horizon must be 90s or longer: pauses within a session last up to 90 s.")
    if truth is not None:
        kind_of(truth)
    with ProgressLine("events") as progress:
        shop = Shop(users, days, seed)
        events = write_events(out, progress.counting(shop.events()))
        seconds = progress.seconds
    click.echo(f"{events:,} events of {users:,} simulated users are in {out}")
    if truth is not None:
        write_records(truth, UserTruth, shop.truth(cuts_ms, horizon_ms))
        click.echo(f"the truth about them is in {truth}")
    figures = {"dataset": "simulated", "users": users, "days": days, "seed": seed, "events": events}
    write_report(report, {**figures, "file": str(out), "seconds": round(seconds, 3)})
