"""Judged alerts as tables of text: by absence, and where that is foretold by decline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamer.analysis.backtest.run import BacktestRow

COLUMNS: Final = (
    "alerts",
    "from",
    "a week",
    "right",
    "95 %",
    "of departures",
    "lead",
    "a user and month",
    "flapping",
)

DECLINE_COLUMNS: Final = (
    "first alerts",
    "from",
    "a week",
    "decline",
    "shortfall",
    "95 %",
    "caught",
    "early",
    "absent",
    "lead",
)

Cells = tuple[str, ...]


def alert_tables(rows: Sequence[BacktestRow]) -> list[tuple[Cells, list[Cells]]]:
    """Columns and cells of one table, or of two."""
    tables: list[tuple[Cells, list[Cells]]] = [(COLUMNS, [_cells(row) for row in rows])]
    if any(row.judged is not None for row in rows):
        tables.append((DECLINE_COLUMNS, [_decline_cells(row) for row in rows]))
    return tables


def _cells(row: BacktestRow) -> Cells:
    judged = row.judgement
    interval = judged.precision_interval
    return (
        row.alerts,
        f"{row.watch:.3f}",
        f"{judged.alerts_a_week:.1f}",
        _share(judged.precision),
        "-" if interval is None else f"{_share(interval.low)} to {_share(interval.high)}",
        _share(judged.recall),
        _number(judged.median_lead_days, " d"),
        f"{judged.alerts_per_user_and_month:.3f}",
        _share(judged.flapping),
    )


def _decline_cells(row: BacktestRow) -> Cells:
    low, high = row.shortfall_lo, row.shortfall_hi
    return (
        row.alerts,
        f"{row.watch:.3f}",
        _number(row.a_week),
        _share(row.decline),
        _number(row.shortfall),
        "-" if low is None or high is None else f"{low:.1f} to {high:.1f}",
        _share(row.caught_share),
        _share(row.early_share),
        _share(row.absent),
        _number(row.lead_days, " d"),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.1f}{unit}"
