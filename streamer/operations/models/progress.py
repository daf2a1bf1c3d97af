"""How far the workers have followed a decision, from what they say beside their offsets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from streamer.operations.deployment import Deployment, PartitionView
from streamer.worker.rollout.plan import BundleReference, Rollout
from streamer.worker.stage.partition.counters import printable
from streamer.worker.stage.partition.partition_status import SHA256_CHARACTERS, PartitionStatus, TrialStatus


class Owned(NamedTuple):
    """A partition with what its present owner has said of it, ``None`` if nothing yet."""

    number: int
    owner: str
    status: PartitionStatus | None


class PartitionProgress(NamedTuple):
    """Numbers of the partitions that have come so far, and reasons by worker of those that refuse."""

    done: list[int]
    waiting: list[int]
    refused: dict[str, str]


class GroupWatch:
    """Whether the workers that are to follow a decision are all there, seen again and again."""

    def __init__(self) -> None:
        self._attended = False

    def is_settled(self, deployment: Deployment) -> bool:
        """Whether every partition is with its owner, or no worker has been there in any look so far.

        One that is killed leaves the group before it is back; it has not followed by having gone.
        """
        self._attended = self._attended or bool(deployment.workers)
        return deployment.group_state == "Stable" if self._attended else True


def owned(deployment: Deployment) -> Iterator[Owned]:
    """Every partition that has an owner."""
    for view in deployment.partitions:
        if view.owner is not None:
            yield Owned(view.partition, view.owner, _said_by_owner(view))


def of_trial(deployment: Deployment, candidate: BundleReference) -> PartitionProgress:
    """Which partitions are scored with ``candidate`` as well."""
    standing = PartitionProgress([], [], {})
    for number, owner, status in owned(deployment):
        trial = _trial_of(status, candidate)
        if trial is not None and trial.refusal:
            standing.refused[owner] = trial.refusal
        elif trial is not None and trial.compared is not None:
            standing.done.append(number)
        else:
            standing.waiting.append(number)
    return standing


def of_service(deployment: Deployment, rollout: Rollout) -> PartitionProgress:
    """Which partitions have taken up what serves by ``rollout``."""
    standing = PartitionProgress([], [], {})
    if rollout.serving is None:
        return standing
    for number, owner, status in owned(deployment):
        model = None if status is None else status.model
        trial = _trial_of(status, rollout.serving)
        if model is not None and model.sha256 == rollout.serving.sha256:
            standing.done.append(number)
        elif trial is not None and trial.refusal:
            standing.refused[owner] = trial.refusal
        else:
            standing.waiting.append(number)
    return standing


def _trial_of(status: PartitionStatus | None, reference: BundleReference) -> TrialStatus | None:
    trial = None if status is None else status.trial
    return trial if trial and trial.sha256 == printable(reference.sha256, SHA256_CHARACTERS) else None


def _said_by_owner(view: PartitionView) -> PartitionStatus | None:
    return view.status if view.status is not None and view.status.worker.name == view.owner else None
