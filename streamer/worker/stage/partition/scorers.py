"""The models that a worker has loaded: the one that serves, and the one on trial beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.errors import StateError
from streamer.core.engine.partition import Rules
from streamer.core.model.risk_model import RiskModel
from streamer.worker.stage.messages import Messages
from streamer.worker.stage.partition.partition_record import TakenUp
from streamer.worker.stage.partition.partition_status import WorkerIdentity


class Scorer(NamedTuple):
    """What scores with one bundle: its model, the rules that go with it, and whose name its messages bear."""

    rules: Rules
    model: RiskModel
    messages: Messages
    worker: WorkerIdentity

    @property
    def sha256(self) -> str:
        """Of the bundle."""
        return self.messages.model.sha256


class Trial(NamedTuple):
    """A bundle on trial. ``scorer``: ``None`` while it is not loaded, ``refusal``: why it never is."""

    sha256: str
    scorer: Scorer | None = None
    refusal: str = ""


@dataclass
class Models:
    """What the partitions of a worker are to be scored with.

    ``since``: the decision that ``serving`` follows, 0 for the bundle in the worker's settings. Whoever loads
    models changes it between two batches; each partition follows at its next one.
    """

    serving: Scorer
    since: int = 0
    trial: Trial | None = None

    @property
    def loaded(self) -> tuple[Scorer, ...]:
        """All that is loaded: what serves, and what is on trial."""
        trial = None if self.trial is None else self.trial.scorer
        return (self.serving,) if trial is None else (self.serving, trial)

    def at_opening(self, recorded: TakenUp | None) -> Scorer:
        """What a partition goes on with that was last scored as ``recorded``.

        Raises :class:`StateError` where a decision that this worker does not know of was followed, with a
        model that it has not loaded.
        """
        if recorded is None or recorded.revision <= self.since or recorded.sha256 == self.serving.sha256:
            return self.serving
        trial = None if self.trial is None else self.trial.scorer
        if trial is not None and trial.sha256 == recorded.sha256:
            return trial
        raise StateError(
            f"the partition is scored with the bundle {recorded.sha256[:12]} since decision "
            f"{recorded.revision}, and this worker knows of decisions up to {self.since}: it ends, and reads "
            "the newest at its next start. If it ends there again, `streamer model reset` lets the bundle in "
            "the settings serve"
        )

    def after(self, taken_up: TakenUp) -> Scorer | None:
        """What a partition is to take up next; ``None`` where it stays as it is."""
        if taken_up.sha256 == self.serving.sha256 or taken_up.revision > self.since:
            return None
        return self.serving
