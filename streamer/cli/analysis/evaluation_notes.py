"""What ``streamer evaluate`` judged, in words."""

from __future__ import annotations

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.cli.analysis.evaluation import Answer, EvaluationQuestion
from streamer.inference.graphs.transformer_graphs import Bundle


def notes_of(bundle: Bundle, asked: EvaluationQuestion, found: Answer) -> list[str]:
    """Of whom and what, as of when, and what was left out; a sentence or two each."""
    manifest = bundle.manifest
    sign = "purchase" if asked.churn_types == "purchase" else "event"
    decline: list[str] = []
    if found.beside.decline is not None:
        decline.append(
            f"Decline: fewer than half of the usual visit days in the {manifest.risk_days:g} days from a cut "
            "on; asked about are those at risk who have a usual."
        )
    if found.beside.decline is not None and found.beside.decline.left_out:
        cuts = ", ".join(map(format_timestamp, found.beside.decline.left_out))
        decline.append(
            f"Not judged by decline: {cuts}, as the files end within {manifest.risk_days:g} days of it, or "
            "everybody did alike."
        )
    return [
        f"Bundle {manifest.name} {manifest.version}, trained on events before {manifest.training_window.to}.",
        f"Churn: no {sign} in the {_days(asked.horizon_ms)} from a cut on. At risk: users with an event in "
        f"the {_days(asked.active_ms)} before it.",
        *decline,
        f"Baselines know nothing from {format_timestamp(found.beside.fitted_until_ms)} on.",
        f"Flagged: a risk of {manifest.band_edges.watch:g} or more for the bundle, as many users for the "
        f"others. Intervals: {found.beside.evaluation.draws:,} draws of users.",
    ]


def _days(milliseconds: int) -> str:
    return f"{milliseconds / DAY_MS:g} days"
