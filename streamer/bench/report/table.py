"""The figures of a benchmark on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamer.bench.report.figures import Rates
from streamer.bench.report.report import BenchReport, WorkloadReport

_TITLES = {
    "worker": "streamer worker",
    "faust": "plain Faust agent",
    "quix": "Quix Streams",
    "aiokafka_full": "aiokafka loop",
}
_HEAD = ("", "events/CPU s", "from", "to", "events/s", "us/event", "broker us", "MB", "times")


def table(report: BenchReport) -> str:
    """Everything that ran, workload by workload."""
    blocks = ["\n".join(_block(name, workload)) for name, workload in report.workloads.items()]
    return "\n\n".join(blocks)


def title_of(name: str) -> str:
    """A contestant's name for people."""
    return _TITLES[name]


def _block(name: str, workload: WorkloadReport) -> Iterator[str]:
    yield f"{name}: {workload.users:,} users, arena for {workload.arena_users:,}"
    rows = [_HEAD, _row("worker", workload.worker, None)]
    rows += [_row(peer, rates, workload.ratio_to[peer]) for peer, rates in workload.peers.items()]
    yield from _aligned(rows)
    floors = ", ".join(f"{floor} {spread.median:.1f}" for floor, spread in workload.floors_us.items())
    together = sum(spread.median for spread in workload.floors_us.values())
    yield (
        f"floors, us/event: {floors}; together {together:.1f}, the worker takes "
        f"{workload.ratio_to['floor']:.2f} times that"
    )
    batch, start, wait = workload.transaction, workload.start, workload.latency_ms
    yield (
        f"event to readable score at {wait.per_s:,.0f} events/s: p50 {wait.p50:.0f} ms, p99 {wait.p99:.0f} ms"
    )
    yield (
        f"transactions of {batch.events:,.0f} events, {batch.users:,.0f} users; start {start.seconds:.1f} s "
        f"({start.cpu_s:.1f} of CPU), {start.disk_bytes_per_user:,.0f} bytes a user on disk; "
        f"{workload.alerts:,} alerts"
    )


def _row(name: str, rates: Rates, ratio: float | None) -> tuple[str, ...]:
    per_cpu = rates.per_cpu_s
    return (
        title_of(name),
        *(f"{value:,.0f}" for value in (per_cpu.median, per_cpu.low, per_cpu.high, rates.per_wall_s.median)),
        f"{rates.cpu_us:,.1f}",
        f"{rates.broker_cpu_us:,.1f}",
        "-" if rates.rss_mb is None else f"{rates.rss_mb:,.0f}",
        "" if ratio is None else f"{ratio:.1f}",
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        right = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *right]).rstrip()
