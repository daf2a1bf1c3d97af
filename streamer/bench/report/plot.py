"""The figures of a benchmark as one SVG: a bar for each contestant, workload by workload."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from streamer.bench.report.figures import Spread
from streamer.bench.report.report import BenchReport
from streamer.bench.report.table import title_of

WIDTH: Final = 760
_LABELS: Final = 150
_RIGHT: Final = 130
_ROW: Final = 24
_TOP: Final = 34
_BOTTOM: Final = 46
_TICKS: Final = 5
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.grid{stroke:#d0d7de}"
    ".worker{fill:#0969da}.peer{fill:#8c959f}.range{stroke:#24292f;stroke-width:1.5}"
)


class Bar(NamedTuple):
    """``range``: from the slowest to the fastest round. Without a value it is a heading."""

    label: str
    kind: str
    value: Spread | None = None


def plot(report: BenchReport) -> str:
    """Scored events a second of processor time; thin lines from the slowest to the fastest round."""
    bars = _bars(report)
    longest = max(bar.value.high for bar in bars if bar.value is not None)
    step = _round_step(longest / _TICKS)
    height = _TOP + _ROW * len(bars) + _BOTTOM
    scale = (WIDTH - _LABELS - _RIGHT) / longest
    parts = [f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
    for number in range(int(longest / step) + 1):
        x = _LABELS + number * step * scale
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP - 8}V{height - _BOTTOM + 4}"/>')
        parts.append(_text(x, height - _BOTTOM + 20, f"{number * step:,.0f}", "middle"))
    parts.append(_text(WIDTH / 2, height - 8, "scored events a second of processor time", "middle"))
    for row, bar in enumerate(bars):
        parts.append(_drawn(bar, _TOP + _ROW * row, scale))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Speed beside the peers"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _bars(report: BenchReport) -> Sequence[Bar]:
    bars: list[Bar] = []
    for name, workload in report.workloads.items():
        bars.append(Bar(f"{name}, {workload.users:,} users", "head"))
        bars.append(Bar(title_of("worker"), "worker", workload.worker.per_cpu_s))
        bars += [Bar(title_of(peer), "peer", rates.per_cpu_s) for peer, rates in workload.peers.items()]
    return bars


def _drawn(bar: Bar, y: float, scale: float) -> str:
    if bar.value is None:
        return _text(8, y + 15, bar.label, "start", "head")
    value, middle = bar.value, y + _ROW / 2 - 2
    low, high = (_LABELS + scale * end for end in (value.low, value.high))
    return (
        _text(_LABELS - 8, y + 15, bar.label, "end")
        + f'<rect class="{bar.kind}" x="{_LABELS}" y="{y + 2}" height="16" '
        + f'width="{value.median * scale:.1f}"/>'
        + f'<path class="range" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>'
        + _text(high + 8, y + 15, f"{value.median:,.0f}", "start")
    )


def _round_step(least: float) -> float:
    """The least of 1, 2, 5, 10, 20, 50 and so on that is not below ``least``."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
