"""``streamer uplift``: what the alerts achieved, beside the users who were held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from schemas.topics import DECISIONS, EVENTS
from schemas.units import DAY_MS
from streamer.analysis.uplift import sources
from streamer.analysis.uplift.estimate import Estimate, estimate
from streamer.analysis.uplift.outcome import Outcome, Returned, first_raises, outcome
from streamer.analysis.uplift.proportions import CONFIDENCE, POWER
from streamer.cli.left_out import counted_rows
from streamer.cli.settings_option import settings_option
from streamer.cli.times import Duration
from streamer.data.files.report_file import report_option, write_report
from streamer.settings.settings import Settings


@click.command(name="uplift")
@click.option("--decisions", default=DECISIONS, show_default=True, help="Topic, or an .ndjson file of it.")
@click.option("--events", default=EVENTS, show_default=True, help="Topic, or a file of events.")
@click.option(
    "--churn-types",
    type=click.Choice(["purchase", "any"]),
    default="purchase",
    show_default=True,
    help="The events that count as a return.",
)
@click.option("--horizon", "horizon_ms", type=Duration(), default="28d", show_default=True)
@click.option(
    "--effect",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    default=5.0,
    show_default=True,
    help="The smallest uplift worth knowing of, in percentage points.",
)
@report_option
@settings_option
def command(
    decisions: str,
    events: str,
    churn_types: str,
    horizon_ms: int,
    effect: float,
    report: Path | None,
    settings: Settings,
) -> None:
    """Compare the users who got an alert with those held out: who returned within the horizon?

    Each user counts once, with the first raise that was sent or held out, if the horizon after it is over.
    The interval is Newcombe's (1998, method 10) at 95 %. Needs a policy with a holdout_share.
    """
    raises = first_raises(sources.decisions(decisions, settings))
    with counted_rows() as counts:
        read = sources.events(events, settings, counts)
        found = outcome(raises, read, horizon_ms, any_event=churn_types == "any")
    figures = estimate(found.sent, found.held_out, effect / 100)
    days = horizon_ms / DAY_MS
    for line in _told(found, figures, "bought" if churn_types == "purchase" else "returned", days):
        click.echo(line)
    if raises.in_both:
        click.echo(
            f"warning: {len(raises.in_both):,} users were alerted at one time and held out at another; they "
            "are left out: holdout_share or holdout_salt was changed",
            err=True,
        )
    write_report(
        report,
        {
            "churn_types": churn_types,
            "horizon_days": days,
            "sent": _arm(found.sent),
            "held_out": _arm(found.held_out),
            "open": found.open,
            "in_both": len(raises.in_both),
            "confidence": CONFIDENCE,
            "power": POWER,
            "left_out": counts.figures(),
            **figures._asdict(),
        },
    )


def _told(found: Outcome, figures: Estimate, did: str, days: float) -> Iterator[str]:
    for name, arm in (("alerted", found.sent), ("held out", found.held_out)):
        share = f": {arm.rate:.1%}" if arm.users else ""
        yield f"{name:<9}{arm.users:>9,} users, {arm.returned:,} {did} within {days:g} days{share}"
    if found.open:
        yield f"{'waiting':<9}{found.open:>9,} users whose {days:g} days are not over"
    if figures.uplift is None or figures.interval is None:
        nobody = "held out" if found.sent.users else "alerted"
        yield f"uplift unknown: the sample is too small, nobody was {nobody} whose {days:g} days are over"
        return
    low, high = figures.interval
    yield (
        f"uplift   {100 * figures.uplift:+.1f} points, "
        f"{CONFIDENCE:.0%} interval {100 * low:+.1f} to {100 * high:+.1f}"
    )
    if figures.enough:
        return
    seen = "none at all" if figures.detectable is None else f"one of {100 * figures.detectable:.1f} points"
    yield (
        f"The sample is too small for an uplift of {100 * figures.effect:g} points; "
        f"with {POWER:.0%} certainty it shows {seen}."
    )
    if figures.needed_held_out is None:
        yield "So large an uplift is impossible: nearly all return without an alert."
    else:
        yield f"Needed at the same shares: {figures.needed_held_out:,} users held out."


def _arm(arm: Returned) -> dict[str, float | None]:
    return {"users": arm.users, "returned": arm.returned, "rate": arm.rate if arm.users else None}
