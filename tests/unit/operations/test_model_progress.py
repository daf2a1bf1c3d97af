"""How far workers have followed a decision about models, from what they say beside their offsets."""

from __future__ import annotations

import msgspec

from streamer.core.engine.trial_comparison import TrialComparison
from streamer.operations.deployment import Deployment
from streamer.operations.models.progress import GroupWatch, PartitionProgress, of_service, of_trial
from streamer.operations.models.wording import rollout_facts
from streamer.operations.status.attention import attention
from streamer.worker.rollout.plan import NO_ROLLOUT, loaded, promoted
from streamer.worker.stage.partition.partition_record import TakenUp
from streamer.worker.stage.partition.partition_status import TrialStatus
from tests.unit.operations.test_attention import other_worker, seen, shared
from tests.unit.worker.rollout.test_plan import NEW, OLD
from tests.unit.worker.stage.test_partition_status import said


def seen_with(first: TrialStatus | None, second: TrialStatus | None, revision: int = 0) -> Deployment:
    """Two workers, ``w1`` and ``w2``, a partition each."""
    model = TakenUp(NEW.sha256 if revision else OLD.sha256, 12, revision)
    deployment = seen(
        said(trial=first, model=model),
        msgspec.structs.replace(other_worker(), trial=second, model=TakenUp(OLD.sha256, 0, 0)),
        members=shared(),
    )
    return msgspec.structs.replace(deployment, rollout=loaded(NO_ROLLOUT, NEW, OLD))


def test_workers_that_have_gone_for_a_moment_have_not_followed() -> None:
    there = msgspec.structs.replace(seen_with(None, None), group_state="Stable")
    gone = msgspec.structs.replace(there, group_state="Empty", workers=[])
    watch = GroupWatch()
    assert watch.is_settled(gone), "no worker runs, and those that start later follow at their start"
    assert watch.is_settled(there)
    assert not watch.is_settled(gone)
    assert not watch.is_settled(msgspec.structs.replace(there, group_state="PreparingRebalance"))
    assert watch.is_settled(there)


def test_how_far_the_workers_are_and_who_refuses() -> None:
    short = NEW.sha256[:12]
    tried = TrialStatus(short, compared=TrialComparison(scores=10, difference=0.5, most=0.2, bands=1))
    both = seen_with(tried, tried)
    assert of_trial(both, NEW) == PartitionProgress([0, 1], [], {})
    assert (
        rollout_facts(both)["on trial"] == f"{NEW}: 20 scores compared, they differ by 0.0500 on average and "
        "0.2000 at most; 10.00% in another band"
    )
    assert of_trial(seen_with(tried, TrialStatus(short)), NEW).waiting == [1]
    assert of_trial(seen_with(tried, None), NEW).waiting == [1]
    refusing = seen_with(tried, TrialStatus(short, refusal="query.onnx cannot be read"))
    assert of_trial(refusing, NEW) == PartitionProgress([0], [], {"w2": "query.onnx cannot be read"})
    (finding,) = [each for each in attention(refusing) if "refuses" in each]
    assert finding.startswith("w2 refuses shop 2")
    assert "streamer model drop" in finding

    served = promoted(loaded(NO_ROLLOUT, NEW, OLD))
    assert of_service(seen_with(None, None, revision=2), served) == PartitionProgress([0], [1], {})
    facts = rollout_facts(msgspec.structs.replace(seen_with(None, None, revision=2), rollout=served))
    assert facts["taken up"] == "from offset 0: 12"
    assert facts["before"] == str(OLD)
