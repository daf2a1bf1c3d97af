"""What one partition is scored with, and how a model on trial compares there."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from streamer.core.engine.apply import Applied
from streamer.core.engine.partition import Partition
from streamer.core.engine.trial_comparison import TrialComparison
from streamer.worker.stage.partition.counters import printable
from streamer.worker.stage.partition.partition_record import TakenUp
from streamer.worker.stage.partition.partition_status import (
    REFUSAL_CHARACTERS,
    SHA256_CHARACTERS,
    TrialStatus,
)
from streamer.worker.stage.partition.scorers import Models, Scorer, Trial

log = structlog.get_logger(__name__)


@dataclass
class PartitionModel:
    """``taken_up``: since when ``scorer`` scores, ``recorded``: whether the table says so.

    ``next_offset``: of the next record of the events topic. ``trial``: ``None`` without a model on trial.
    """

    scorer: Scorer
    taken_up: TakenUp
    recorded: bool
    next_offset: int
    trial: TrialStatus | None

    def follow(self, models: Models, partition: Partition) -> bool:
        """Take up what serves now, between two batches; returns whether there is news of models."""
        if (scorer := models.after(self.taken_up)) is not None:
            partition.take_up(scorer.rules, scorer.model)
            self.scorer, self.recorded = scorer, False
            self.taken_up = TakenUp(scorer.sha256, self.next_offset, models.since)
            log.info(
                "model taken up",
                partition=partition.number,
                model=scorer.worker.model,
                model_version=scorer.worker.model_version,
                offset=self.next_offset,
                revision=models.since,
            )
        before, self.trial = self.trial, _trial_status(models.trial, self.trial)
        return scorer is not None or _published(before) != _published(self.trial)

    def compare(self, models: Models, applied: Applied) -> None:
        """Score with the model on trial whom the serving one has just scored, and send nothing of it."""
        trial = models.trial
        if trial is None or trial.scorer is None or self.trial is None or self.trial.compared is None:
            return
        identity = self.scorer.model.identity
        scored = [
            (user_id, state)
            for user_id, state in applied.states.items()
            if state is not None and state.model == identity
        ]
        policies = self.scorer.rules.policy, trial.scorer.rules.policy
        try:
            self.trial.compared.add(scored, trial.scorer.model, *policies)
        except Exception as error:  # it says nothing of the model that serves
            log.exception("the model on trial cannot score")
            models.trial = Trial(trial.sha256, refusal=f"it cannot score: {error}")


def open_partition_model(
    models: Models, recorded: TakenUp | None, status: TrialStatus | None, next_offset: int
) -> PartitionModel:
    """What a partition goes on with. ``recorded``: in its table, ``status``: in its last status.

    Raises as :meth:`~streamer.worker.stage.partition.scorers.Models.at_opening`.
    """
    scorer = models.at_opening(recorded)
    if recorded is not None and recorded.sha256 == scorer.sha256:
        return PartitionModel(scorer, recorded, True, next_offset, status)
    taken_up = TakenUp(scorer.sha256, next_offset, models.since)
    return PartitionModel(scorer, taken_up, recorded is None, next_offset, status)


def _trial_status(trial: Trial | None, before: TrialStatus | None) -> TrialStatus | None:
    """How the trial stands; what was compared of the same bundle counts on."""
    if trial is None:
        return None
    sha256 = printable(trial.sha256, SHA256_CHARACTERS)
    if before is None or before.sha256 != sha256:
        before = TrialStatus(sha256)
    refusal = printable(trial.refusal, REFUSAL_CHARACTERS)
    compared = before.compared or (None if trial.scorer is None else TrialComparison())
    if (refusal, compared) == (before.refusal, before.compared):
        return before
    return TrialStatus(sha256, refusal, compared)


def _published(trial: TrialStatus | None) -> tuple[str, str, bool] | None:
    return None if trial is None else (trial.sha256, trial.refusal, trial.compared is None)
