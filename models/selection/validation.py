"""A first fit that knows nothing of the last two horizons, judged on cuts within them.

It says which variant is served, how its risk is calibrated, and what may be expected of it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.examples import Decline, Examples, label, labelled_moments, nobody_active
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.fit.calibration import Platt, fit_platt
from models.fit.fitting import Fit
from models.fit.material import Material, drawn_users, material
from models.fit.training import logits_of
from models.loop.epochs import Run
from models.network.network import Network
from models.recipe import VARIANTS, Task, Variant
from models.selection.ablation import compare, figures
from models.selection.decline import judge_decline
from schemas.bundle.manifest import VariantFigures
from schemas.errors import ConfigurationError
from streamer.core.insights.activity import segments_of

CUTS: Final = 5
FIRST_FIT: Final = "first fit"


class Judged(NamedTuple):
    """One variant of one seed, and its calibrated risks ``[questions]`` on the validation cuts."""

    platt: Platt
    risks: npt.NDArray[np.float64]


class Validated(NamedTuple):
    """The variant chosen, the first fit's network of it, and what the validation cuts say.

    ``epochs``: of each stage by its name, as the users held out decided.
    """

    variant: Variant
    network: Network
    platt: Platt
    epochs: dict[str, int]
    ablation: tuple[VariantFigures, ...]
    metrics: dict[str, float]


def validate(
    histories: Histories,
    columns: npt.NDArray[np.int64],
    asked: Examples,
    task: Task,
    run: Run,
    variants: Sequence[Variant] = VARIANTS,
    decline: Decline | None = None,
) -> Validated:
    """Train ``variants`` with each of the task's seeds, judge them on ``asked`` and choose one.

    An interruption leaves out what has not begun; there is always the first variant of the first seed.
    """
    judged: defaultdict[Variant, list[Judged]] = defaultdict(list)
    fits: list[Fit] = []
    for number in range(task.seeds):
        if judged and run.interruption.requested:
            break
        seeded = dataclasses.replace(task, seed=task.seed + number)
        data = earlier_material(histories, columns, seeded, decline=decline)
        fits.append(Fit(first_fit_name(number), data, seeded, run))
        for variant in variants:
            if variant != "aggregates" and not run.interruption.requested:
                fits[-1].learn_language()
            if judged and run.interruption.requested:
                break
            judged[variant].append(calibrated(fits[-1].network(variant), histories, asked))
    segments = segments_of(asked.features, task.churn_types)
    users = histories.user_of(asked.moments.event)
    comparison = compare(
        {variant: [one.risks for one in seeds] for variant, seeds in judged.items()}, asked.churned, users
    )
    chosen = comparison.chosen
    first = judged[chosen][0]
    network = fits[0].network(chosen)
    surprise = fits[0].surprise()
    return Validated(
        variant=chosen,
        network=network,
        platt=first.platt,
        epochs=fits[0].found,
        ablation=comparison.figures,
        metrics={
            "validation_n": float(len(asked.churned)),
            "validation_base_rate": float(asked.churned.mean()),
            **{f"validation_{name}": value for name, value in figures(asked.churned, first.risks).items()},
            **{
                f"validation_{segment}_{name}": value
                for segment, chosen in segments.items()
                for name, value in _of_segment(asked.churned[chosen], first.risks[chosen]).items()
            },
            **({} if surprise is None else surprise.metrics),
            **({} if decline is None else judge_decline(network, histories, task, decline)),
        },
    )


def _of_segment(churned: npt.NDArray[np.float32], risks: npt.NDArray[np.float64]) -> dict[str, float]:
    """How many there are, how many of them churned, and the figures where both kinds occur."""
    if not len(churned):
        return {"n": 0.0}
    counted = {"n": float(len(churned)), "base_rate": float(churned.mean())}
    return {**counted, **figures(churned, risks)} if len(np.unique(churned)) == 2 else counted


def first_fit_name(number: int) -> str:
    """What progress reports call the first fit with the seed ``number``, counted from 0."""
    return FIRST_FIT if number == 0 else f"{FIRST_FIT}, seed {number + 1}"


def validation_cuts(task: Task) -> npt.NDArray[np.int64]:
    """Moments (epoch ms) whose outcomes are known, and of which the first fit knows nothing."""
    last = task.until_ms - task.horizon_ms
    return np.linspace(last - task.horizon_ms, last, CUTS).astype(np.int64)


def questions(histories: Histories, task: Task) -> Examples:
    """The validation cuts' active users, with what became of them.

    Raises :class:`~schemas.errors.ConfigurationError` where they say nothing.
    """
    moments = cut_moments(histories, validation_cuts(task), task.active_ms)
    if not len(moments.event):
        raise nobody_active()
    asked = label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms)
    if len(np.unique(asked.churned)) < 2:
        raise ConfigurationError(
            "on the validation cuts all users churned or none did: choose another --horizon or --train-until"
        )
    return asked


def earlier_material(
    histories: Histories,
    columns: npt.NDArray[np.int64],
    task: Task,
    held_out: npt.NDArray[np.bool_] | None = None,
    decline: Decline | None = None,
) -> Material:
    """What a first fit learns from; ``held_out`` ``[users]``: by default a share is drawn."""
    until_ms = task.first_until_ms
    earlier = histories.before(until_ms)
    if held_out is None:
        kept_out = drawn_users(earlier, task)
    else:
        first = histories.times[histories.starts[:-1]]
        kept_out = held_out[first < until_ms]
    examples = labelled_moments(earlier, task, until_ms, decline=decline)
    return material(earlier, examples, columns, task, kept_out)


def calibrated(network: Network, histories: Histories, asked: Examples) -> Judged:
    """The risks of ``asked``, calibrated on their own outcomes, so that levels do not count."""
    logits = logits_of(network, histories, asked.moments.event, asked.features)
    platt = fit_platt(logits, asked.churned)
    return Judged(platt, platt.probability(logits))
