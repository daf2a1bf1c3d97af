"""What of a deployment needs somebody's attention, in words that say what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamer.operations.deployment import Deployment, PartitionView, TopicProblem
from streamer.operations.models.wording import rollout_findings
from streamer.operations.status.placement import places_findings
from streamer.operations.status.shares import reads_findings
from streamer.worker.stage.partition.partition_status import WorkerIdentity

BEHIND_RECORDS: Final = 4_000
"""As many are on their way through a worker that keeps up: what one transaction takes."""

SILENT_MS: Final = 90_000
"""A worker speaks for each of its partitions at least every 30 seconds, once it has recovered its table."""


def attention(deployment: Deployment) -> list[str]:
    """One sentence or two for each finding; nothing when all is well."""
    found = _of_topics(deployment.topic_problems)
    if not deployment.workers:
        waiting = sum(view.lag for view in deployment.partitions)
        found.append(
            f"no worker of {deployment.application_id} is running: start one with `streamer worker`. It goes "
            f"on where the last one ended; {waiting:,} records wait."
        )
    elif deployment.group_state != "Stable":
        found.append(
            f"the workers are sharing out the partitions anew ({deployment.group_state}): look again in a "
            "few seconds; if it stays like this, read the workers' logs."
        )
    else:
        found += _of_partitions(deployment)
    found += _of_offsets(deployment.partitions)
    statuses = [view.status for view in deployment.partitions if view.status is not None]
    found += reads_findings(statuses, deployment.now_ms)
    found += places_findings(statuses, len(deployment.partitions))
    if deployment.source is not None and deployment.source.down:
        quiet = duration(deployment.now_ms - deployment.source.quiet_since_ms)
        found.append(
            f"no record has come for {quiet}, longer than {duration(deployment.source.patience_ms)}: the "
            "source is taken to be down and decisions wait. See to what publishes to "
            f"{deployment.event_topic}."
        )
    identities = [worker.identity for worker in deployment.workers if worker.identity is not None]
    return [*found, *rollout_findings(deployment), *_disagreements(identities)]


def duration(ms: int) -> str:
    """``43 s``, ``12 min``, ``5 h``, ``3 days``."""
    seconds = max(ms, 0) // 1000
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 2 * 86_400 else f"{seconds // 86_400} days"


def _of_topics(problems: Iterable[TopicProblem]) -> list[str]:
    by_repair: dict[str, list[str]] = {}
    for problem in problems:
        by_repair.setdefault(problem.repair, []).append(f"{problem.topic}: {', '.join(problem.differences)}")
    return [f"{'; '.join(topics)}. {repair}" for repair, topics in by_repair.items()]


def _of_partitions(deployment: Deployment) -> list[str]:
    found: list[str] = []
    ownerless = [view for view in deployment.partitions if view.owner is None]
    if ownerless:
        found.append(
            f"{_named(ownerless)}: no worker has been given the partition: restart the workers one by one."
        )
    for worker in deployment.workers:
        owned = [view for view in deployment.partitions if view.owner == worker.name]
        silent = [view for view in owned if _silent_ms(view, deployment.now_ms) > SILENT_MS]
        if silent:
            statuses_ms = [view.status.said_ms for view in silent if view.status is not None]
            since = f"for {duration(deployment.now_ms - min(statuses_ms))}" if statuses_ms else "yet"
            found.append(
                f"{_named(silent)}: {worker.name} has said nothing {since}. It recovers its table, or it "
                "hangs: read its log, and restart it if nothing moves."
            )
    spoken = [
        (view, view.status)
        for view in deployment.partitions
        if view.status is not None and _silent_ms(view, deployment.now_ms) <= SILENT_MS
    ]
    held = [view for view, status in spoken if status.held]
    if held:
        found.append(
            f"{_named(held)}: behind by {_left(held):,} records, so raises wait until it has caught up. That "
            f"is ordinary after a start or a pause; {_more_workers(deployment)}"
        )
    behind = [
        view
        for view, status in spoken
        if status.worker.mode == "event-time" and _left([view]) > BEHIND_RECORDS
    ]
    if behind:
        found.append(
            f"{_named(behind)}: behind by {_left(behind):,} records. That is ordinary while a history is "
            f"read, and `streamer status --wait` ends once it is; {_more_workers(deployment)}"
        )
    return found


def _left(views: Iterable[PartitionView]) -> int:
    return sum(view.left for view in views)


def _more_workers(deployment: Deployment) -> str:
    return (
        "if it lasts and the lag grows, start another worker "
        f"(at most {len(deployment.partitions)} share the work)."
    )


def _silent_ms(view: PartitionView, now_ms: int) -> int:
    return SILENT_MS + 1 if view.status is None else now_ms - view.status.said_ms


def _of_offsets(views: Iterable[PartitionView]) -> list[str]:
    return [
        f"partition {view.partition}: read up to offset {view.committed:,}, but the topic ends at "
        f"{view.end:,}: it was truncated or created anew, and records below that offset are passed over. "
        "Stop the workers and set the group's offsets with `kafka-consumer-groups.sh --reset-offsets`."
        for view in views
        if view.committed is not None and view.committed > view.end
    ]


def _disagreements(identities: Iterable[WorkerIdentity]) -> list[str]:
    found: list[str] = []
    for what, key in (
        ("models", lambda who: f"{who.model} {who.model_version} ({who.model_sha256})"),
        ("policies", lambda who: who.policy_sha256),
        ("modes", lambda who: who.mode),
    ):
        users: dict[str, list[str]] = {}
        for who in sorted(identities, key=lambda who: who.name):
            users.setdefault(key(who), []).append(who.name)
        if len(users) > 1:
            each = "; ".join(f"{value}: {', '.join(names)}" for value, names in users.items())
            found.append(
                f"the workers work with different {what} ({each}): customers are treated by where they lie. "
                "Restart those with the old settings."
            )
    return found


def _named(views: Iterable[PartitionView]) -> str:
    numbers = [str(view.partition) for view in views]
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
