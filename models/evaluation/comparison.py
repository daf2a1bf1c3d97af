"""A bundle's model beside the baselines, fitted to what came before, and beside parts of its own recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from models.baselines.alerts import decline_models
from models.baselines.fit import fit_all, lessons
from models.baselines.risk_model import as_model
from models.data.histories import Histories
from models.evaluation.candidates import Candidate, of_features, of_model
from models.evaluation.cut import cuts_at
from models.evaluation.decline import BesideDecline, judge_decline
from models.evaluation.heads import HeadFigures
from models.evaluation.result import Evaluation
from models.evaluation.run import BUNDLE, Asked, evaluate
from models.recipe import Task, Variant
from streamer.core.model.risk_model import RiskModel

ABLATIONS: Final[tuple[Variant, ...]] = ("aggregates", "sequence")

COMPARED_BY_ABSENCE: Final = ("recency", "rfm")
"""Baselines of absence whose alerts are compared with those of a bundle that foretells decline."""

Progress = Callable[[str, int], None]
"""Told the name of what goes on, and how much of it is done."""


class Beside(NamedTuple):
    """``evaluation``, of absence, and the ``baselines`` as models that alerts can be compared with.

    ``fitted_until_ms``: the baselines know nothing from then on. ``decline``: ``None`` for a model that does
    not foretell it.
    """

    evaluation: Evaluation
    baselines: dict[str, RiskModel]
    fitted_until_ms: int
    decline: BesideDecline | None = None


def judge_beside(
    histories: Histories,
    model: RiskModel,
    at_ms: Sequence[int],
    asked: Asked,
    heads: HeadFigures,
    ablations: bool,
    progress: Progress,
) -> Beside:
    """Judge ``model`` at each of ``at_ms`` (epoch ms) on ``histories``, which go on for a horizon after it.

    ``asked.task.until_ms`` is the end of the model's training window; what is fitted here knows nothing from
    then on, nor from the first cut. Raises :class:`~schemas.errors.ConfigurationError` where something
    cannot be judged.
    """
    cuts = cuts_at(histories, at_ms, asked.task)
    task = replace(asked.task, until_ms=min(asked.task.until_ms, cuts[0].at_ms))
    end = "--at" if task.until_ms == cuts[0].at_ms else "the end of the bundle's training window"
    progress("baselines", 0)
    risks = fit_all(lessons(histories, task, end), task)
    done = 0

    def count(users: int) -> None:
        nonlocal done
        done += users
        progress(BUNDLE, done)

    candidates: dict[str, Candidate] = {BUNDLE: of_model(model, count)}
    candidates |= {name: of_features(risk) for name, risk in risks.items()}
    if ablations:
        candidates |= _ablations(histories, task, progress)
    evaluation = evaluate(cuts, candidates, asked, tuple(risks), heads)
    models = {name: as_model(name, risk, model) for name, risk in risks.items()}
    if model.decline is None:
        return Beside(evaluation, models, task.until_ms)
    decline = judge_decline(
        histories, model, model.decline, [cut.at_ms for cut in cuts], asked._replace(task=task), end, progress
    )
    compared = {name: models[name] for name in COMPARED_BY_ABSENCE}
    compared |= decline_models(decline.trees, model, model.decline)
    return Beside(evaluation, compared, task.until_ms, decline)


def _ablations(histories: Histories, task: Task, progress: Progress) -> dict[str, Candidate]:
    """The bundle's recipe trained anew on features alone, and on the sequence and the silence alone."""
    # Loading torch takes seconds, and only this needs it.
    import torch

    from models.selection.variants import TrainedVariant, train_variant

    # These products are so small that a second thread costs more than it does.
    torch.set_num_threads(1)

    def of_variant(trained: TrainedVariant) -> Candidate:
        return lambda cut: trained.risks(cut.histories, cut.event, cut.features)

    made: dict[str, Candidate] = {}
    for variant in ABLATIONS:
        progress(variant, 0)
        made[variant] = of_variant(train_variant(histories, task, variant))
    return made
