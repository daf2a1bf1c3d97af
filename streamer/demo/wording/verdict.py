"""The judgement in sentences: what was lost, then the scores and the alerts by absence."""

from __future__ import annotations

from math import ceil

from streamer.demo.judgement.evaluation import Confrontation, Evaluation
from streamer.demo.judgement.lost import Lost
from streamer.demo.wording.figures import count_of, money, percent


def lost_in_words(lost: Lost) -> list[str]:
    """Spending at stake, how much of it was alarmed about and how early, and an absence rule beside it."""
    if lost.shortfall is None or lost.shortfall_lo is None or lost.shortfall_hi is None:
        return ["No household's first alert is old enough to tell what was lost."]
    window = f"{lost.window_days:g} days"
    lines = [
        f"Households that spent less than usual, against the level of the whole shop, kept back "
        f"{money(lost.lost_in_all, lost.currency)} within {window}, ordinary ups and downs included.",
        f"{lost.alerts:,} households were alarmed about from {lost.since[:10]} to {lost.until[:10]}: each "
        f"spent {money(lost.shortfall, lost.currency)} less than usual in the {window} after (95 %: "
        f"{lost.shortfall_lo:,.0f} to {lost.shortfall_hi:,.0f}), {_of_all(lost)}; "
        f"{percent(lost.decline or 0.0)} of them came less than half as often.",
    ]
    if lost.absence_shortfall is not None:
        each = money(lost.absence_shortfall, lost.currency)
        lines.append(f"As many alerts by the risk of absence alone would have found {each} each.")
    return [*lines, *_how_early(lost)]


def _of_all(lost: Lost) -> str:
    if lost.caught_share is None or lost.caught_share <= 0.0:
        return "nothing of all that was kept back"
    return f"{percent(lost.caught_share)} of all that was kept back"


def _how_early(lost: Lost) -> list[str]:
    if lost.lead_days is None or lost.early_share is None:
        return []
    late_days = lost.window_days - lost.lead_days
    half = "on the day" if late_days <= 0 else f"within {count_of(ceil(late_days), 'day')} of the day"
    on_time = (
        "nobody who was still on time was alarmed about"
        if lost.early_share == 0
        else f"{percent(lost.early_share)} came before that day"
    )
    return [f"Half of the alerts came {half} on which the household was due; {on_time}."]


def evaluation_in_words(evaluation: Evaluation) -> list[str]:
    """The closing check of the scores, a sentence each."""
    if evaluation.n == 0:
        return [f"Nobody had shopped in the {evaluation.active_days:g} days before {evaluation.at[:10]}."]
    return [
        f"On {evaluation.at[:10]} {evaluation.n:,} households had shopped in the last "
        f"{evaluation.active_days:g} days; {percent(evaluation.base_rate)} of them then stayed away for "
        f"{evaluation.horizon_days:g} days.",
        f"The risk of absence ranks who stays away with AUROC {evaluation.auroc:.3f} "
        f"(Brier {evaluation.brier:.3f}, calibration error {evaluation.ece:.3f}).",
    ]


def bands_in_words(evaluation: Evaluation) -> list[str]:
    """What the bands of absence say of the same households; nothing where nobody was asked about."""
    if evaluation.n == 0:
        return []
    return [
        f"Of those whose risk was in a band that day, {percent(evaluation.precision)} stayed away "
        f"(precision): {percent(evaluation.recall)} of all who did (recall; F1 {evaluation.f1:.2f})."
    ]


def confrontation_in_words(confrontation: Confrontation) -> list[str]:
    """The alerts of the last months against what happened, a sentence each."""
    if confrontation.judged == 0:
        return ["No alert is old enough to be judged."]
    lines = [
        f"Of {confrontation.judged:,} alerts raised from {confrontation.since[:10]} to "
        f"{confrontation.until[:10]}, {confrontation.right:,} were right: "
        f"{percent(confrontation.right / confrontation.judged)} of those households did not shop for "
        f"{confrontation.horizon_days:g} days.",
    ]
    if confrontation.median_lead_days is not None:
        lines.append(
            f"Half of the right alerts came {confrontation.median_lead_days:.1f} days or more before the "
            f"household counted as lost."
        )
    if confrontation.too_late_to_judge:
        lines.append(
            f"{confrontation.too_late_to_judge:,} later alerts are not judged, open or not: the data end "
            f"before their {confrontation.horizon_days:g} days are over."
        )
    return lines
