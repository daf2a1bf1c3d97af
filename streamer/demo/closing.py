"""The closing summary, as the terminal and the page show it."""

from __future__ import annotations

import msgspec

from streamer.demo.judgement.report import Report
from streamer.demo.wording import confrontation_in_words, evaluation_in_words, percent


class Closing(msgspec.Struct, frozen=True):
    """``figures``: name, value, note; ``lines``: sentences."""

    figures: list[tuple[str, str, str]]
    lines: list[str]


def closing_of(report: Report) -> Closing:
    """The summary of a finished run."""
    evaluation, confrontation = report.evaluation, report.confrontation
    figures = [
        ("Ranking (AUROC)", f"{evaluation.auroc:.3f}", f"{evaluation.n:,} households on {evaluation.at[:10]}")
    ]
    if confrontation.judged:
        share = percent(confrontation.right / confrontation.judged)
        figures.append(("Alerts that were right", share, f"{confrontation.judged:,} alerts judged"))
    if confrontation.median_lead_days is not None:
        lead = f"{confrontation.median_lead_days:.1f} days"
        figures.append(("Median head start", lead, "before the household counted as lost"))
    figures.append(("Speed", f"{report.events_per_s:,.0f} / s", f"{report.events:,} baskets, all scored"))
    return Closing(figures, [*evaluation_in_words(evaluation), *confrontation_in_words(confrontation)])


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
