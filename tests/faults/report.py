"""The report of a campaign, as ``--report`` writes it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from tests.faults.findings import Finding
from tests.faults.schedule import Kind

BESIDES = "(no one fault)"
"""Where objections go that no fault can be blamed for."""


class Recovery(msgspec.Struct, frozen=True):
    """Seconds from the moment that ``FaultReport.recovery_from`` names to new committed progress."""

    median: float
    max: float


class FaultReport(msgspec.Struct, frozen=True):
    """What became of one kind of fault. ``other``: objections that none of the counts before it names."""

    fault: str
    tried: int
    lost: int
    repeated_identical: int
    repeated_different: int
    false_alerts: int
    missing_alerts: int
    other: int
    recovery_s: Recovery | None
    recovery_from: str


class Struck(msgspec.Struct, frozen=True):
    """A fault that has struck: from when to when (epoch milliseconds), and how long recovery took."""

    kind: str
    from_ms: int
    to_ms: int
    recovery_s: float | None


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """One trial. ``undone_alerts``: alert records of transactions that faults cut short, which only a
    read_uncommitted reader sees. ``worker_exits``: ends of workers by exit status."""

    trial: str
    faults: list[FaultReport]
    started_at: str
    seconds: float
    events: int
    users: int
    alerts: int
    decisions: int
    dead_letters: int
    undone_alerts: int
    worker_exits: dict[str, int]
    struck: list[Struck]
    findings: list[Finding]


class FuzzingReport(msgspec.Struct, frozen=True):
    """So many hostile inputs; ``failed``: one did not end as an event, a counted skip or a dead letter."""

    inputs: int
    failed: bool
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign. ``faults``: those of all its trials. ``fuzzing``: ``None`` where it was left out."""

    seed: int
    seconds: float
    faults: list[FaultReport]
    trials: list[TrialReport]
    fuzzing: FuzzingReport | None = None


def fault_reports(
    kinds: Iterable[Kind], struck: Sequence[Struck], blamed: Sequence[tuple[str, Finding]]
) -> list[FaultReport]:
    """One line a kind; ``blamed``: each objection with the fault that it is put down to."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, finding in blamed:
        counts[name][finding.kind] += finding.times
    described = {kind.name: kind.recovery_from for kind in kinds}
    names = [*described, *([BESIDES] if BESIDES in counts else [])]
    return [
        _line(
            name,
            [strike for strike in struck if strike.kind == name],
            counts[name],
            described.get(name, ""),
        )
        for name in names
    ]


def _line(name: str, struck: Sequence[Struck], counts: Counter[str], recovery_from: str) -> FaultReport:
    named = ("lost", "repeated_identical", "repeated_different", "false_alert", "missing_alert")
    lost, identical, different, false, missing = (counts[kind] for kind in named)
    times = [strike.recovery_s for strike in struck if strike.recovery_s is not None]
    recovery = Recovery(round(median(times), 2), round(max(times), 2)) if times else None
    other = sum(count for kind, count in counts.items() if kind not in named)
    return FaultReport(
        name, len(struck), lost, identical, different, false, missing, other, recovery, recovery_from
    )


def blame(
    findings: Iterable[Finding], struck: Sequence[Struck], cause_ms: Iterable[int | None]
) -> list[tuple[str, Finding]]:
    """Each objection with the last fault that had begun when its record was written, or its input done.

    ``cause_ms``: for each objection, when its input record was committed; ``None`` where that is not known.
    """
    blamed: list[tuple[str, Finding]] = []
    for finding, caused_ms in zip(findings, cause_ms, strict=True):
        at_ms = finding.at_ms if finding.at_ms is not None else caused_ms
        begun = [strike for strike in struck if at_ms is not None and strike.from_ms <= at_ms]
        blamed.append((begun[-1].kind if begun else BESIDES, finding))
    return blamed
