"""What the heads are worth at moments that they know nothing of."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from models.heads.amounts import spend_examples
from models.heads.heads import Heads
from models.heads.judge import judge_spend, log_loss, perplexity
from models.heads.material import HeadMaterial
from models.network.sequences import in_few_pieces
from models.recipe import Task

MOST_EVENTS: Final = 20_000

_PART: Final = 4096


class Answers(NamedTuple):
    """Log probabilities ``types``, ``categories`` ``[events, n]``, and ``actual`` codes ``[events, 2]``."""

    types: npt.NDArray[np.float32]
    categories: npt.NDArray[np.float32]
    actual: npt.NDArray[np.int64]


class Judged(NamedTuple):
    """A head's ``loss``, mean of negative log likelihoods, and the ``metrics`` to tell."""

    loss: float
    metrics: dict[str, float]


class JudgedHeads(NamedTuple):
    """``None`` for a head that there is not, or of which nothing can be said.

    ``scale``: what expected amounts lack to have the right total.
    """

    spend: Judged | None
    next_type: Judged | None
    next_category: Judged | None
    scale: float


def judge_heads(heads: Heads, material: HeadMaterial, task: Task, from_ms: int) -> JudgedHeads:
    """Judge heads that know nothing from ``from_ms`` on, a horizon before the end, by what happened then."""
    spend, scale = _judge_spend(heads, material, task, from_ms)
    histories = material.histories
    following = np.setdiff1d(np.flatnonzero(histories.times >= from_ms), histories.starts)
    if not len(following):
        return JudgedHeads(spend, None, None, scale)
    asked = in_few_pieces(material.sequences, following - 1, MOST_EVENTS, task.seed)
    answers = answers_after(heads, material, asked)
    return JudgedHeads(
        spend,
        _judge_next("type", answers.types, answers.actual[:, 0]),
        _judge_next("category", answers.categories, answers.actual[:, 1]),
        scale,
    )


@torch.no_grad()
def _judge_spend(
    heads: Heads, material: HeadMaterial, task: Task, from_ms: int
) -> tuple[Judged | None, float]:
    cut = np.array([from_ms], np.int64)
    asked = spend_examples(material.histories, cut, task.horizon_ms, task.active_ms)
    if heads.spend is None or not (asked.spend > 0).any():
        return None, 1.0
    hidden, features = material.hidden(asked.moments.event), torch.from_numpy(asked.features)
    loss = heads.spend.loss(hidden, features, torch.from_numpy(asked.spend).float())
    figures = judge_spend(asked.spend, heads.spend.expected(hidden, features).numpy().astype(np.float64))
    scale = 1.0 / figures.total
    metrics = {
        "validation_spend_spearman": figures.spearman,
        "validation_spend_gini": figures.gini,
        "validation_spend_top_decile": figures.top_decile,
        "validation_spend_scale": scale,
    }
    return Judged(float(loss), metrics), scale


def _judge_next(name: str, log_probabilities: npt.NDArray[np.float32], came: npt.NDArray[np.int64]) -> Judged:
    loss = log_loss(log_probabilities, came)
    metrics = {
        f"validation_next_{name}_log_loss": loss,
        f"validation_next_{name}_perplexity": perplexity(loss),
    }
    return Judged(loss, metrics)


@torch.no_grad()
def answers_after(heads: Heads, material: HeadMaterial, events: npt.NDArray[np.int64]) -> Answers:
    """What the next-event heads say right after each of ``events``, none of which is its user's last."""
    types: list[torch.Tensor] = []
    categories: list[torch.Tensor] = []
    for start in range(0, len(events), _PART):
        part = events[start : start + _PART]
        hidden, recent = material.hidden(part), material.recent(part)
        types.append(torch.log_softmax(heads.next_type(hidden, recent[:, :, 0]), dim=1))
        categories.append(heads.next_category(hidden, recent[:, :, 1]))
    return Answers(
        torch.cat(types).numpy(), torch.cat(categories).numpy(), material.following(events).numpy()
    )
