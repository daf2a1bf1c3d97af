"""An evaluation put together: every candidate on every cut, on all cuts together, and by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.evaluation.bootstrap import FIGURES, Interval, draws_for, interval, resampled
from models.evaluation.candidates import Candidate
from models.evaluation.cut import Cut
from models.evaluation.figures import Row, RowName, Target, figures_of, threshold_for
from models.evaluation.heads import HeadFigures
from models.evaluation.leaks import leaks
from models.evaluation.result import Difference, Evaluation
from models.recipe import Task
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.core.insights.activity import segments_of
from streamer.core.model.risk_metrics import auroc

Floats = npt.NDArray[np.float64]

BUNDLE: Final = "bundle"
ALL: Final = "all"


class Asked(NamedTuple):
    """``task``: what is churn, and the seed. ``watch``: the risk from which the bundle flags a user.

    Of the ``target`` decline the task's horizon is the window.
    """

    dataset: str
    task: Task
    watch: float
    target: Target = "absence"


class Answers(NamedTuple):
    """Rows of a cut, or of all, with every candidate's risks; arrays are ``[rows]``."""

    at: str | None
    user: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    churned: npt.NDArray[np.float32]
    risks: dict[str, Floats]
    heads: dict[str, float]


def evaluate(
    cuts: Sequence[Cut],
    candidates: Mapping[str, Candidate],
    asked: Asked,
    baselines: Sequence[str],
    heads: HeadFigures,
) -> Evaluation:
    """Judge ``candidates``, the bundle among them as :data:`BUNDLE`; ``heads``: what else it foretells.

    ``baselines``: of which candidates the best is sought.

    Raises ``AssertionError`` where a candidate knows what comes after a cut: that is a defect.
    """
    each = [answers_of(cut, candidates, heads) for cut in cuts]
    together = pooled(each)
    best = max(baselines, key=lambda name: auroc(together.churned, together.risks[name]))
    rows: list[Row] = []
    segments: list[Row] = []
    differences: list[Difference] = []
    for answers in (together, *each):
        draws = resampled(answers.churned, answers.risks, answers.user, asked.task.seed)
        rows += rows_of(answers, ALL, asked, {name: interval(drawn[:, 0]) for name, drawn in draws.items()})
        segments += _segments(answers, asked)
        differences += _differences(answers.at, rows[-len(answers.risks) :], draws, best, asked.target)
    return Evaluation(
        rows=rows, segments=segments, differences=differences, draws=draws_for(len(together.churned))
    )


def answers_of(cut: Cut, candidates: Mapping[str, Candidate], heads: HeadFigures) -> Answers:
    """Ask every candidate, after making sure that none knows the future."""
    found = leaks(cut, candidates)
    assert not found, f"known before {format_timestamp(cut.at_ms)} though it comes later: {', '.join(found)}"
    return Answers(
        format_timestamp(cut.at_ms),
        cut.user,
        cut.features,
        cut.churned,
        {name: candidate(cut) for name, candidate in candidates.items()},
        dict(heads(cut)),
    )


def pooled(each: Sequence[Answers]) -> Answers:
    """The rows of all cuts together; a user may have one in each."""
    return Answers(
        None,
        np.concatenate([answers.user for answers in each]),
        np.concatenate([answers.features for answers in each]),
        np.concatenate([answers.churned for answers in each]),
        {name: np.concatenate([answers.risks[name] for answers in each]) for name in each[0].risks},
        {},
    )


def rows_of(answers: Answers, segment: str, asked: Asked, aurocs: Mapping[str, Interval]) -> list[Row]:
    """A row for each candidate. Whoever is not the bundle flags as many users as the bundle does."""
    flagged = int((answers.risks[BUNDLE] >= asked.watch).sum())
    rows: list[Row] = []
    for model, risks in answers.risks.items():
        name = RowName(
            asked.dataset, answers.at, segment, asked.task.horizon_ms / DAY_MS, model, asked.target
        )
        own = model == BUNDLE
        threshold = asked.watch if own else threshold_for(risks, flagged)
        heads = answers.heads if own else {}
        rows.append(figures_of(name, answers.churned, risks, aurocs[model], threshold, heads))
    return rows


def _segments(answers: Answers, asked: Asked) -> list[Row]:
    rows: list[Row] = []
    for segment, chosen in segments_of(answers.features, asked.task.churn_types).items():
        if not chosen.any():
            continue
        part = Answers(
            answers.at,
            answers.user[chosen],
            answers.features[chosen],
            answers.churned[chosen],
            {name: risks[chosen] for name, risks in answers.risks.items()},
            {},
        )
        draws = resampled(part.churned, part.risks, part.user, asked.task.seed)
        rows += rows_of(part, segment, asked, {name: interval(drawn[:, 0]) for name, drawn in draws.items()})
    return rows


def _differences(
    at: str | None, rows: Sequence[Row], draws: Mapping[str, Floats], best: str, target: Target
) -> list[Difference]:
    """The bundle's figures less each other candidate's."""
    by_model = {row.model: row for row in rows}
    made: list[Difference] = []
    for model, drawn in draws.items():
        if model == BUNDLE:
            continue
        for column, figure in enumerate(FIGURES):
            between = interval(draws[BUNDLE][:, column] - drawn[:, column])
            made.append(
                Difference(
                    at=at,
                    model=model,
                    best=model == best,
                    figure=figure,
                    difference=getattr(by_model[BUNDLE], figure) - getattr(by_model[model], figure),
                    lo=between.lo,
                    hi=between.hi,
                    target=target,
                )
            )
    return made
