"""The loop that every stage of training runs: epochs, early stop, checkpoints, interruption.

An epoch's randomness is drawn from the seed, the stage and the epoch's number alone. So a stage that goes on
from a checkpoint takes the very steps that it would have taken undisturbed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.loop.checkpoints import Checkpoints
from models.loop.progress import Interruption, Report, Silent

Batch = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """What all stages of a training share."""

    report: Report = field(default_factory=Silent)
    interruption: Interruption = field(default_factory=Interruption)
    checkpoints: Checkpoints | None = None


class Weights(NamedTuple):
    """Parameters that are trained at one highest rate."""

    parameters: Sequence[nn.Parameter]
    rate: float


@dataclass(frozen=True)
class Training:
    """What one stage does.

    ``module``: all of whose state is kept. ``batches``: of an epoch, drawn from a generator. ``loss``: of a
    batch. ``units``: of progress in a batch. ``judge``: the loss on users held out, after each epoch;
    ``None`` where nobody is, and every epoch counts as better. ``most``: epochs over which the rates fall to
    zero; training ends before at ``stop_at``, or when ``patience`` epochs in a row were no better.
    """

    module: nn.Module
    weights: Sequence[Weights]
    batches: Callable[[np.random.Generator], Sequence[Batch]]
    loss: Callable[[Batch], Tensor]
    units: Callable[[Batch], int]
    judge: Callable[[], float] | None
    most: int
    stop_at: int
    patience: int
    weight_decay: float


class Trained(NamedTuple):
    """``epochs``: after how many the module was as it is now. ``loss``: then, on the users held out."""

    epochs: int
    loss: float | None


def train(stage: str, training: Training, seed: int, run: Run) -> Trained:
    """Train ``training.module`` and leave it in its best state, in evaluation mode.

    An interruption ends it at the next batch: the best state is then that of a completed epoch, or, where
    there is none yet, the current one.
    """
    optimiser = torch.optim.AdamW(
        [{"params": list(weights.parameters), "lr": weights.rate} for weights in training.weights],
        weight_decay=training.weight_decay,
    )
    progress = _resumed(stage, training, optimiser, run)
    while not progress.ended(training):
        generator = _generator(seed, stage, progress.epoch)
        batches = training.batches(generator)
        training.module.train()
        for number, batch in enumerate(batches):
            _set_rates(optimiser, training, progress.epoch + number / len(batches))
            _descend(training.loss(batch), optimiser)
            progress.units += training.units(batch)
            run.report.done(stage, training.units(batch))
            if run.interruption.requested:
                return progress.take(training.module)
        training.module.eval()
        progress.judged(training.module, training.judge and training.judge())
        _save(stage, training, progress, optimiser, run)
    run.report.finished(stage)
    return progress.take(training.module)


@dataclass
class _Progress:
    """How far a stage is. ``best``: the state after ``best_epoch``, whose loss is ``best_loss``."""

    epoch: int = 0
    units: int = 0
    best: dict[str, Tensor] | None = None
    best_epoch: int = 0
    best_loss: float | None = None

    def ended(self, training: Training) -> bool:
        return self.epoch >= training.stop_at or self.epoch - self.best_epoch >= training.patience

    def judged(self, module: nn.Module, loss: float | None) -> None:
        """Count an epoch, after which the loss on users held out is ``loss``."""
        self.epoch += 1
        if loss is None or self.best_loss is None or loss < self.best_loss:
            self.best, self.best_epoch, self.best_loss = copy.deepcopy(module.state_dict()), self.epoch, loss

    def take(self, module: nn.Module) -> Trained:
        """Put the best state into ``module``."""
        if self.best is not None:
            module.load_state_dict(self.best)
        module.eval()
        return Trained(self.best_epoch, self.best_loss)


def _resumed(stage: str, training: Training, optimiser: torch.optim.Optimizer, run: Run) -> _Progress:
    saved = run.checkpoints.load(stage) if run.checkpoints is not None else None
    if saved is None:
        return _Progress()
    optimiser.load_state_dict(saved["optimiser"])
    training.module.load_state_dict(saved["state"])
    progress = _Progress(**saved["progress"])
    run.report.done(stage, progress.units)
    return progress


def _save(
    stage: str, training: Training, progress: _Progress, optimiser: torch.optim.Optimizer, run: Run
) -> None:
    if run.checkpoints is not None:
        state = training.module.state_dict()
        saved = {"state": state, "optimiser": optimiser.state_dict(), "progress": vars(progress)}
        run.checkpoints.save(stage, saved)


def _generator(seed: int, stage: str, epoch: int) -> np.random.Generator:
    """Draws an epoch's batches; the network's own randomness, its dropout, is set going as well."""
    drawn = sha256(f"{seed}/{stage}/{epoch}".encode()).digest()
    torch.manual_seed(int.from_bytes(drawn[:7], "big"))
    return np.random.default_rng(list(drawn))


def _set_rates(optimiser: torch.optim.Optimizer, training: Training, epochs: float) -> None:
    """A short rise, then half a cosine down to zero after ``training.most`` epochs."""
    done = epochs / training.most
    warm = 0.05
    factor = (
        (done + 0.01) / (warm + 0.01)
        if done < warm
        else 0.5 + 0.5 * np.cos(np.pi * (done - warm) / (1 - warm))
    )
    for group, weights in zip(optimiser.param_groups, training.weights, strict=True):
        group["lr"] = weights.rate * float(factor)


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
