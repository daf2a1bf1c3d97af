"""The exchange of the model in words, for ``streamer status`` and ``streamer model``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamer.core.engine.trial_comparison import TrialComparison
from streamer.operations.deployment import Deployment
from streamer.operations.models.progress import PartitionProgress, of_service, of_trial
from streamer.worker.rollout.plan import BundleReference


def rollout_facts(deployment: Deployment) -> dict[str, str]:
    """Lines of the status page; none before the first decision."""
    rollout = deployment.rollout
    if rollout.serving is None:
        return {}
    offsets = ", ".join(
        f"{view.partition}: {view.status.model.offset:,}"
        for view in deployment.partitions
        if view.status is not None and view.status.model is not None and view.status.model.revision
    )
    facts = {"decided": f"{rollout.serving}, decision {rollout.since}"}
    if offsets:
        facts["taken up"] = f"from offset {offsets}"
    if rollout.candidate is not None:
        facts["on trial"] = f"{rollout.candidate}: {_in_words(_compared(deployment, rollout.candidate))}"
    if rollout.previous is not None:
        facts["before"] = str(rollout.previous)
    return facts


def rollout_findings(deployment: Deployment) -> Iterator[str]:
    """What of the exchange needs attention."""
    rollout = deployment.rollout
    if deployment.rollout_unreadable:
        yield f"{deployment.rollout_unreadable}. Until then the decision before it holds."
    if rollout.candidate is not None:
        standing = of_trial(deployment, rollout.candidate)
        yield from refusals(rollout.candidate, standing, "`streamer model drop` ends the trial")
    if rollout.serving is not None:
        standing = of_service(deployment, rollout)
        yield from refusals(rollout.serving, standing, "restart the worker once that is mended")


def refusals(reference: BundleReference, standing: PartitionProgress, way_out: str) -> Iterator[str]:
    """One sentence for each worker that refuses a bundle."""
    for worker, reason in sorted(standing.refused.items()):
        yield f"{worker} refuses {reference}: {reason}. The old model goes on; {way_out}."


def _compared(deployment: Deployment, candidate: BundleReference) -> TrialComparison:
    trials = [view.status.trial for view in deployment.partitions if view.status is not None]
    return _summed(
        trial.compared
        for trial in trials
        if trial is not None and candidate.sha256.startswith(trial.sha256) and trial.compared is not None
    )


def _summed(each: Iterable[TrialComparison]) -> TrialComparison:
    summed = TrialComparison()
    for found in each:
        summed.scores += found.scores
        summed.difference += found.difference
        summed.most = max(summed.most, found.most)
        summed.bands += found.bands
    return summed


def _in_words(compared: TrialComparison) -> str:
    if not compared.scores:
        return "nothing compared yet"
    return (
        f"{compared.scores:,} scores compared, they differ by {compared.difference / compared.scores:.4f} on "
        f"average and {compared.most:.4f} at most; {compared.bands / compared.scores:.2%} in another band"
    )
