"""A deployment as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.timestamps import format_timestamp
from schemas.topics import REPARTITION
from streamer.operations.deployment import Deployment, PartitionView
from streamer.operations.models.wording import rollout_facts
from streamer.operations.status.attention import duration

ALL_WELL = "all is well"


def in_words(deployment: Deployment, findings: Sequence[str]) -> str:
    """The whole page: the deployment, its partitions, its totals, and what needs attention."""
    fitting = deployment.topics - len(deployment.topic_problems)
    identities = [worker.identity for worker in deployment.workers if worker.identity is not None]
    facts = {
        "group": f"{deployment.application_id}: {deployment.group_state}, {_workers(deployment)}",
        "topics": f"{fitting} of {deployment.topics} there and fitting",
        "model": _each(
            f"{who.model} {who.model_version} ({who.model_sha256}) on {', '.join(who.providers)}"
            for who in identities
        ),
        **rollout_facts(deployment),
        "policy": _each(who.policy_sha256 for who in identities),
        "mode": _each(who.mode for who in identities),
        "source": _source(deployment),
        **_totals(deployment),
    }
    width = max(map(len, facts)) + 2
    lines = [f"{name.ljust(width)}{fact}" for name, fact in facts.items() if fact]
    if deployment.partitions:
        lines += ["", _table(deployment)]
    if not findings:
        return "\n".join([*lines, "", ALL_WELL])
    return "\n".join([*lines, "", "needs attention", *(f"- {finding}" for finding in findings)])


def _workers(deployment: Deployment) -> str:
    if not deployment.workers:
        return "no worker"
    names = ", ".join(worker.name for worker in deployment.workers)
    return f"{len(deployment.workers)} worker{'s' if len(deployment.workers) > 1 else ''} ({names})"


def _each(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _source(deployment: Deployment) -> str:
    source = deployment.source
    if source is None:
        return ""
    quiet = duration(deployment.now_ms - source.quiet_since_ms)
    state = "down" if source.down else "up"
    return f"{state}, last record came {quiet} ago, may be quiet for {duration(source.patience_ms)}"


def _totals(deployment: Deployment) -> dict[str, str]:
    totals = deployment.totals
    share = f" ({deployment.forwarded_share:.1%})" if deployment.forwarded_share else ""
    unread = (
        f"{totals.unknown_fields:,} unknown fields ignored, {totals.foreign_currency:,} events in a foreign "
        "currency"
    )
    return {
        "records": f"{totals.records:,} read, {totals.events:,} events applied",
        "forwarded": f"{totals.forwarded:,}{share} through {REPARTITION.name}" if totals.forwarded else "",
        "skipped": _counts(totals.skipped),
        "unknown types": _spellings(totals.spellings),
        "unreadable amounts": _counts(totals.unreadable),
        "erasures": _erasures(deployment),
        "dead letters": _counts(totals.dead_letters),
        "other": unread if totals.unknown_fields or totals.foreign_currency else "",
        "alerts": _counts(totals.alerts),
        "decisions": _counts(totals.decisions),
    }


def _erasures(deployment: Deployment) -> str:
    done, left = deployment.totals.erasures, deployment.erasures_left
    return f"{done:,} carried out, {left:,} wait" if done or left else ""


def _counts(counts: Mapping[str, int]) -> str:
    by_size = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return (
        f"{sum(counts.values()):,} ({', '.join(f'{name} {number:,}' for name, number in by_size)})"
        if counts
        else "0"
    )


def _spellings(counts: Mapping[str, int]) -> str:
    return _counts({f'"{spelling}"': number for spelling, number in counts.items()}) if counts else ""


def _table(deployment: Deployment) -> str:
    rows = [("partition", "owner", "committed", "end", "lag", "newest record", "clock", "last word")]
    rows += [_row(view, deployment.now_ms) for view in deployment.partitions]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(view: PartitionView, now_ms: int) -> tuple[str, str, str, str, str, str, str, str]:
    status = view.status
    lag = f"{view.lag:,}"
    if view.forwarded_lag:
        lag += f" + {view.forwarded_lag:,} forwarded"
    clock_ms = None if status is None else status.clock_ms
    word = "none"
    if status is not None:
        word = _ago(status.said_ms, now_ms)
        if status.worker.name != view.owner:
            word += f", {status.worker.name}"
    return (
        str(view.partition),
        view.owner or "nobody",
        "-" if view.committed is None else f"{view.committed:,}",
        f"{view.end:,}",
        lag,
        "-" if view.newest_ms is None else _ago(view.newest_ms, now_ms),
        "-" if clock_ms is None else format_timestamp(clock_ms // 1000 * 1000),
        word,
    )


def _ago(moment_ms: int, now_ms: int) -> str:
    return f"{duration(now_ms - moment_ms)} ago"
