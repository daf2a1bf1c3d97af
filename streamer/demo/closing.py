"""The closing summary, as the terminal and the page show it."""

from __future__ import annotations

import msgspec

from streamer.demo.judgement.evaluation import Confrontation
from streamer.demo.judgement.lost import Lost
from streamer.demo.judgement.report import Report
from streamer.demo.wording.figures import money, percent
from streamer.demo.wording.verdict import (
    bands_in_words,
    confrontation_in_words,
    evaluation_in_words,
    lost_in_words,
)


class Closing(msgspec.Struct, frozen=True):
    """``figures``: name, value, note; ``lines``: sentences."""

    figures: list[tuple[str, str, str]]
    lines: list[str]


def closing_of(report: Report) -> Closing:
    """The summary of a finished run: what was lost comes first, where the bundle foretells it."""
    evaluation, lost = report.evaluation, report.lost
    ranking = f"{evaluation.n:,} households on {evaluation.at[:10]}"
    figures = [("Ranking of absence (AUROC)", f"{evaluation.auroc:.3f}", ranking)]
    lines = evaluation_in_words(evaluation)
    if lost is None:
        figures += _alerts_by_absence(report.confrontation)
        lines += [*bands_in_words(evaluation), *confrontation_in_words(report.confrontation)]
    else:
        figures = [*_spending(lost), *figures]
        lines = [*lost_in_words(lost), *lines]
    figures.append(("Speed", f"{report.events_per_s:,.0f} / s", f"{report.events:,} baskets, all scored"))
    return Closing(figures, lines)


def _spending(lost: Lost) -> list[tuple[str, str, str]]:
    if lost.shortfall is None:
        return []
    window = f"{lost.window_days:g} days"
    figures = [("Spending at stake", money(lost.lost_in_all, lost.currency), f"kept back within {window}")]
    if lost.caught_share is not None:
        caught = percent(max(lost.caught_share, 0.0))
        figures.append(("Alarmed about", caught, f"of it, by {lost.alerts:,} alerts"))
    beside = (
        ""
        if lost.absence_shortfall is None
        else f"; by absence {money(lost.absence_shortfall, lost.currency)}"
    )
    figures.append(("Lost an alert", money(lost.shortfall, lost.currency), f"within {window}{beside}"))
    return figures


def _alerts_by_absence(confrontation: Confrontation) -> list[tuple[str, str, str]]:
    figures: list[tuple[str, str, str]] = []
    if confrontation.judged:
        share = percent(confrontation.right / confrontation.judged)
        figures.append(("Alerts that were right", share, f"{confrontation.judged:,} alerts judged"))
    if confrontation.median_lead_days is not None:
        lead = f"{confrontation.median_lead_days:.1f} days"
        figures.append(("Median head start", lead, "before the household counted as lost"))
    return figures


def closing_text(report: Report) -> str:
    """The summary as plain text, with the run's own figures first."""
    first = report.seconds_to_first_alert
    alerts = report.alerts
    rows = [
        f"{report.events:,} baskets of {report.users:,} households through the worker at "
        f"{report.events_per_s:,.0f} a second, {report.scores:,} scores published, "
        f"{report.dead_letters:,} dead letters.",
        f"{alerts.raised:,} alerts raised, {alerts.escalated:,} escalated, {alerts.resolved:,} resolved; "
        + ("no alert" if first is None else f"the first {first:.0f} s after the broker's start")
        + f", {report.total_seconds:.0f} s in all.",
        *closing_of(report).lines,
    ]
    return "\n".join(f"  {row}" for row in rows)
