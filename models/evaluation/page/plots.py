"""Plots as inline SVG: lines over a plane, and figures with their intervals in rows.

Colours come from the page's classes ``s0``, ``s1`` and so on, so that they follow its light or dark scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import sqrt
from typing import Final, NamedTuple

WIDTH: Final = 520
_HEIGHT: Final = 360
_LEFT: Final = 52
_RIGHT: Final = 16
_TOP: Final = 14
_BOTTOM: Final = 44
_ROW: Final = 20
_LABELS: Final = 190


class Line(NamedTuple):
    """Points of one model; ``style`` numbers its colour. ``weights``: the areas of their dots, 0 to 1."""

    name: str
    style: int
    points: Sequence[tuple[float, float]]
    weights: Sequence[float]


class Whisker(NamedTuple):
    """A figure and its interval; a ``label`` without them is a heading."""

    label: str
    style: int
    value: float | None = None
    lo: float | None = None
    hi: float | None = None


class Axis(NamedTuple):
    """From ``first`` to ``last``, with a tick at each of ``ticks``."""

    label: str
    first: float
    last: float
    ticks: Sequence[float]

    def share(self, value: float) -> float:
        """How far along the axis a value lies, kept within it."""
        return min(max((value - self.first) / (self.last - self.first), 0.0), 1.0)


def plane(
    title: str, across: Axis, up: Axis, lines: Sequence[Line], ideal: Sequence[tuple[float, float]]
) -> str:
    """Lines with a dot at each point, the first line on top, over a dashed ``ideal`` line."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + across.share(point[0]) * (WIDTH - _LEFT - _RIGHT)
        return x, _HEIGHT - _BOTTOM - up.share(point[1]) * (_HEIGHT - _TOP - _BOTTOM)

    parts: list[str] = []
    for tick in across.ticks:
        x, _ = place((tick, up.first))
        parts.append(
            _rule(x, _TOP, x, _HEIGHT - _BOTTOM) + _text(x, _HEIGHT - _BOTTOM + 16, f"{tick:g}", "middle")
        )
    for tick in up.ticks:
        _, y = place((across.first, tick))
        parts.append(_rule(_LEFT, y, WIDTH - _RIGHT, y) + _text(_LEFT - 6, y + 4, f"{tick:g}", "end"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 8, across.label, "middle"))
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="label" text-anchor="middle" transform="translate(12 {middle:.1f}) rotate(-90)">'
        f"{escape(up.label)}</text>"
    )
    parts.append(f'<polyline class="ideal" points="{_path([place(point) for point in ideal])}"/>')
    for line in reversed(lines):
        places = [place(point) for point in line.points]
        parts.append(f'<polyline class="line s{line.style}" points="{_path(places)}"/>')
        parts += [
            f'<circle class="dot s{line.style}" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 7 * sqrt(weight):.1f}">'
            f"<title>{escape(line.name)}: {point[0]:.3f}, {point[1]:.3f}</title></circle>"
            for (x, y), point, weight in zip(places, line.points, line.weights, strict=True)
        ]
    return _svg(title, _HEIGHT, parts)


def whiskers(title: str, across: Axis, rows: Sequence[Whisker], mark: float | None = None) -> str:
    """A row for each figure: its interval as a line, its value as a dot. ``mark``: where a line stands."""
    height = _TOP + _ROW * len(rows) + _BOTTOM

    def place(value: float) -> float:
        return _LABELS + across.share(value) * (WIDTH - _LABELS - _RIGHT)

    parts: list[str] = []
    for tick in across.ticks:
        x = place(tick)
        parts.append(
            _rule(x, _TOP, x, height - _BOTTOM) + _text(x, height - _BOTTOM + 16, f"{tick:g}", "middle")
        )
    parts.append(_text((_LABELS + WIDTH - _RIGHT) / 2, height - 8, across.label, "middle"))
    if mark is not None:
        parts.append(f'<path class="ideal" d="M{place(mark):.1f} {_TOP}V{height - _BOTTOM}"/>')
    for index, row in enumerate(rows):
        y = _TOP + _ROW * (index + 0.5)
        heading = row.value is None
        parts.append(
            _text(0 if heading else 14, y + 4, row.label, "start", "heading" if heading else "label")
        )
        if row.value is None:
            continue
        if row.lo is not None and row.hi is not None:
            parts.append(
                f'<path class="line s{row.style}" d="M{place(row.lo):.1f} {y:.1f}H{place(row.hi):.1f}"/>'
            )
        parts.append(
            f'<circle class="dot s{row.style}" cx="{place(row.value):.1f}" cy="{y:.1f}" r="4">'
            f"<title>{escape(row.label)}: {row.value:.4f}</title></circle>"
        )
    return _svg(title, height, parts)


def ticks(first: float, last: float) -> list[float]:
    """Some five round numbers from ``first`` to ``last``."""
    step = next(
        s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if (last - first) / s <= 6 or s == 10
    )
    begin = -(-first // step)
    count = int((last - begin * step) / step + 1e-9)
    return [round((begin + index) * step, 6) for index in range(count + 1)]


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        + "".join(parts)
        + "</svg>"
    )


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="grid" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
