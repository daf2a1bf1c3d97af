"""What the heads are worth at moments that they know nothing of."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from models.configuration import Size, Task
from models.heads.amounts import spend_examples
from models.heads.fitting import recent_of
from models.heads.heads import Heads
from models.heads.judge import judge_spend, log_loss, perplexity
from models.histories import Histories
from models.network import Network
from models.sequences import hidden_after, sequences_of

MOST_EVENTS: Final = 20_000

_PART: Final = 4096


class Answers(NamedTuple):
    """Log probabilities ``types``, ``categories`` ``[events, n]``, and ``actual`` codes ``[events, 2]``."""

    types: npt.NDArray[np.float32]
    categories: npt.NDArray[np.float32]
    actual: npt.NDArray[np.int64]


class JudgedSpend(NamedTuple):
    """``loss``: negative log likelihood. ``scale``: what expected amounts lack to have the right total."""

    loss: float
    scale: float
    metrics: dict[str, float]


class JudgedNextEvent(NamedTuple):
    """``loss``: log losses of type and category together."""

    loss: float
    metrics: dict[str, float]


class JudgedHeads(NamedTuple):
    """``None`` for heads that there are not, or of which nothing can be said."""

    spend: JudgedSpend | None
    next_event: JudgedNextEvent | None


def judge_heads(
    network: Network, heads: Heads, histories: Histories, task: Task, from_ms: int
) -> JudgedHeads:
    """Judge heads that know nothing from ``from_ms`` on, a horizon before the end, by what happened then."""
    return JudgedHeads(
        _judge_spend(network, heads, histories, task, from_ms),
        _judge_next_event(network, heads, histories, task, from_ms),
    )


@torch.no_grad()
def _judge_spend(
    network: Network, heads: Heads, histories: Histories, task: Task, from_ms: int
) -> JudgedSpend | None:
    asked = spend_examples(histories, np.array([from_ms], np.int64), task.horizon_ms, task.active_ms)
    if heads.spend is None or not (asked.spend > 0).any():
        return None
    sequences = sequences_of(histories, network.transformer.size)
    hidden = hidden_after(network.transformer, sequences, asked.moments.event)
    features = torch.from_numpy(asked.features)
    loss = heads.spend.loss(hidden, features, torch.from_numpy(asked.spend).float())
    figures = judge_spend(asked.spend, heads.spend.expected(hidden, features).numpy().astype(np.float64))
    metrics = {
        "validation_spend_spearman": figures.spearman,
        "validation_spend_gini": figures.gini,
        "validation_spend_top_decile": figures.top_decile,
        "validation_spend_scale": 1.0 / figures.total,
    }
    return JudgedSpend(float(loss), 1.0 / figures.total, metrics)


def _judge_next_event(
    network: Network, heads: Heads, histories: Histories, task: Task, from_ms: int
) -> JudgedNextEvent | None:
    following = np.setdiff1d(np.flatnonzero(histories.times >= from_ms), histories.starts)
    if not len(following):
        return None
    events = following[:: -(-len(following) // MOST_EVENTS)] - 1
    answers = answers_after(network, heads, histories, events, task.size)
    of_type = log_loss(answers.types, answers.actual[:, 0])
    of_category = log_loss(answers.categories, answers.actual[:, 1])
    metrics = {
        "validation_next_type_log_loss": of_type,
        "validation_next_type_perplexity": perplexity(of_type),
        "validation_next_category_log_loss": of_category,
        "validation_next_category_perplexity": perplexity(of_category),
    }
    return JudgedNextEvent(of_type + of_category, metrics)


@torch.no_grad()
def answers_after(
    network: Network, heads: Heads, histories: Histories, events: npt.NDArray[np.int64], size: Size
) -> Answers:
    """What the next-event heads say right after each of ``events``, none of which is its user's last."""
    sequences = sequences_of(histories, size)
    types: list[torch.Tensor] = []
    categories: list[torch.Tensor] = []
    for start in range(0, len(events), _PART):
        part = events[start : start + _PART]
        hidden, recent = (
            hidden_after(network.transformer, sequences, part),
            recent_of(histories, part, size),
        )
        types.append(torch.log_softmax(heads.next_type(hidden, recent[:, :, 0]), dim=1))
        categories.append(heads.next_category(hidden, recent[:, :, 1]))
    actual = sequences.codes[torch.from_numpy(events + 1), :2]
    return Answers(torch.cat(types).numpy(), torch.cat(categories).numpy(), actual.numpy())
