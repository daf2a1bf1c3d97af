"""The figures of an evaluation as tables of text, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from models.evaluation.figures import Row
from models.evaluation.result import Difference, Evaluation

BY_ACTIVITY: Final = "By activity"
OF_DECLINE: Final = "Decline: "

T = TypeVar("T", Row, Difference)

FIGURES: Final = (
    *("n", "churn", "AUROC (95 %)", "PR-AUC", "log loss", "Brier", "ECE", "lift 10 %"),
    *("flagged", "precision", "recall", "F1"),
)


class Table(NamedTuple):
    """Cells of text under their ``columns``."""

    title: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]


def tables_of_decline(evaluation: Evaluation) -> list[Table]:
    """The same tables of who comes less than usual."""
    return [
        table._replace(
            title=f"{OF_DECLINE}{table.title[0].lower()}{table.title[1:]}",
            columns=["decline" if column == "churn" else column for column in table.columns],
        )
        for table in tables_of(evaluation)
    ]


def tables_of(evaluation: Evaluation) -> list[Table]:
    """All rows, the bundle less each other model, and the segments of all cuts together."""
    pooled = [row for row in evaluation.segments if row.at is None]
    tables = [
        Table(
            "Models", ("at", "model", *FIGURES), [_cells(_at(row.at), row) for row in _told(evaluation.rows)]
        ),
        Table(
            "Bundle less another model (95 %)",
            ("at", "less", "AUROC", "PR-AUC", "Brier"),
            list(_differences(_told(evaluation.differences))),
        ),
        Table(BY_ACTIVITY, ("segment", "model", *FIGURES), [_cells(row.segment, row) for row in pooled]),
    ]
    heads = [(_at(row.at), name, f"{row.heads[name]:.3f}") for row in evaluation.rows for name in row.heads]
    return [*tables, Table("Other heads", ("at", "figure", "value"), heads)] if heads else tables


def markdown(table: Table) -> str:
    """A Markdown table under its title, its columns padded to one width."""
    lines = [list(table.columns), *(list(row) for row in table.cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"### {table.title}", "", padded[0], rule, *padded[1:], ""])


def shown(value: float | None, decimals: int = 3) -> str:
    """A figure as a table shows it; ``-`` where there is none."""
    if value is None or value != value:
        return "-"
    return f"{value:.{decimals}f}"


def _told(rows: Sequence[T]) -> list[T]:
    """All of them, but without all cuts together where there is one cut."""
    several = len({row.at for row in rows}) > 2
    return [row for row in rows if several or row.at is not None]


def _at(at: str | None) -> str:
    return "all cuts" if at is None else at.removesuffix("T00:00:00Z")


def _cells(first: str, row: Row) -> tuple[str, ...]:
    return (
        first,
        row.model,
        f"{row.n:,}",
        shown(row.base_rate),
        f"{shown(row.auroc)} ({shown(row.auroc_lo)} to {shown(row.auroc_hi)})",
        shown(row.pr_auc),
        shown(row.log_loss),
        shown(row.brier),
        shown(row.ece),
        shown(row.lift10, 2),
        f"{row.flagged:,}",
        shown(row.precision),
        shown(row.recall),
        shown(row.f1),
    )


def _differences(differences: Sequence[Difference]) -> Iterable[tuple[str, ...]]:
    for first in (each for each in differences if each.figure == "auroc"):
        figures = [each for each in differences if (each.at, each.model) == (first.at, first.model)]
        name = f"{first.model} (best)" if first.best else first.model
        yield (_at(first.at), name, *(_signed(each) for each in figures))


def _signed(each: Difference) -> str:
    return f"{each.difference:+.4f} ({each.lo:+.4f} to {each.hi:+.4f})"
