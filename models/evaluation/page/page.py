"""The evaluation as one HTML page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import chain
from pathlib import Path
from typing import Final

from models.evaluation.figures import Row
from models.evaluation.page.plots import Axis, Line, Whisker, plane, ticks, whiskers
from models.evaluation.page.table import Table
from models.evaluation.result import Evaluation

_STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def page(title: str, notes: Sequence[str], evaluation: Evaluation, tables: Sequence[Table]) -> str:
    """The page: what was judged, the plots, and the same figures as ``tables``."""
    pooled = [row for row in evaluation.rows if row.at is None]
    names = [row.model for row in pooled]
    figures = [
        _figure("AUROC, with 95 % intervals", _aurocs(evaluation.rows, names)),
        _figure("AUROC by activity before the cut", _segments(evaluation, names)),
        _figure("Of users with that risk, so many churned", _reliability(pooled)),
        _figure("Churners among the highest risks, against chance", _lift(pooled)),
        _figure("The bundle's AUROC less another's, the same users drawn", _differences(evaluation, names)),
    ]
    legend = "".join(f'<li><i class="s{index}"></i>{escape(name)}</li>' for index, name in enumerate(names))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</header>"
        f'<main><ul class="legend">{legend}</ul><div class="plots">{"".join(figures)}</div>'
        f"{''.join(map(_table, tables))}</main></body></html>\n"
    )


def _figure(caption: str, plot: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{plot}</figure>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in table.cells
    )
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _aurocs(rows: Sequence[Row], names: Sequence[str]) -> str:
    cuts = list(dict.fromkeys(row.at for row in rows))
    shown = cuts if len(cuts) > 2 else cuts[1:]
    groups = [(_heading(at), [row for row in rows if row.at == at]) for at in shown]
    return _grouped("AUROC by model and cut", groups, names)


def _segments(evaluation: Evaluation, names: Sequence[str]) -> str:
    pooled = [row for row in evaluation.segments if row.at is None]
    groups: list[tuple[str, list[Row]]] = []
    for segment in dict.fromkeys(row.segment for row in pooled):
        rows = [row for row in pooled if row.segment == segment]
        groups.append((f"{segment}: {rows[0].n:,}, churn {rows[0].base_rate:.3f}", rows))
    return _grouped("AUROC by segment and model", groups, names)


def _grouped(title: str, groups: Sequence[tuple[str, Sequence[Row]]], names: Sequence[str]) -> str:
    whisks: list[Whisker] = []
    for heading, rows in groups:
        whisks.append(Whisker(heading, 0))
        for row in rows:
            if row.auroc is not None:
                whisks.append(
                    Whisker(row.model, names.index(row.model), row.auroc, row.auroc_lo, row.auroc_hi)
                )
    return whiskers(title, _axis("AUROC", whisks), whisks)


def _differences(evaluation: Evaluation, names: Sequence[str]) -> str:
    chosen = [each for each in evaluation.differences if each.at is None and each.figure == "auroc"]
    whisks = [
        Whisker(
            f"{each.model}, the best" if each.best else each.model,
            names.index(each.model),
            each.difference,
            each.lo,
            each.hi,
        )
        for each in chosen
    ]
    axis = _axis("difference of AUROC", [*whisks, Whisker("", 0, 0.0)])
    return whiskers("Difference of AUROC", axis, whisks, mark=0.0)


def _axis(label: str, whisks: Sequence[Whisker]) -> Axis:
    """An axis that holds every value and interval, with some room."""
    values = [value for each in whisks for value in (each.value, each.lo, each.hi) if value is not None]
    values = values or [0.0, 1.0]
    room = 0.05 * (max(values) - min(values)) + 0.001
    first, last = min(values) - room, max(values) + room
    return Axis(label, first, last, ticks(first, last))


def _reliability(pooled: Sequence[Row]) -> str:
    tenths = [index / 5 for index in range(6)]
    lines = [
        Line(
            row.model,
            index,
            [(risk, share) for risk, share, _ in row.reliability],
            [weight for *_, weight in row.reliability],
        )
        for index, row in enumerate(pooled)
    ]
    across, up = Axis("mean risk", 0, 1, tenths), Axis("share that churned", 0, 1, tenths)
    return plane("Reliability", across, up, lines, [(0, 0), (1, 1)])


def _lift(pooled: Sequence[Row]) -> str:
    lines = [
        Line(
            row.model,
            index,
            [((tenth + 1) * 10, lift) for tenth, lift in enumerate(row.lift)],
            [0.0] * len(row.lift),
        )
        for index, row in enumerate(pooled)
    ]
    highest = max(chain([1.0], *(row.lift for row in pooled))) * 1.05
    across = Axis("users with the highest risks, %", 0, 100, [0, 20, 40, 60, 80, 100])
    up = Axis("churners, times chance", 0, highest, ticks(0, highest))
    return plane("Cumulative lift", across, up, lines, [(0, 1), (100, 1)])


def _heading(at: str | None) -> str:
    return "all cuts" if at is None else at.removesuffix("T00:00:00Z")
