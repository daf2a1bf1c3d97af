"""An inspection as one HTML page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from streamer.analysis.inspection.advice import Advice
from streamer.analysis.inspection.tables import Table

WORDS: Final = {"stops": "Stops training", "mend": "Mend first", "know": "Good to know"}
"""What the weights of advice are called."""

_STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def page(files: Sequence[str], advice: Sequence[Advice], tables: Sequence[Table]) -> str:
    """The page: the advice, and below it the tables that it follows from."""
    title = "Fit to train on?"
    remarks = "".join(
        f'<li class="{one.weight}"><b>{WORDS[one.weight]}.</b> {escape(one.text)}</li>' for one in advice
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><header><h1>{title}</h1>"
        f'<p>{escape(", ".join(files))}</p></header><main><ul class="advice">{remarks}</ul>'
        f"{''.join(map(_section, tables))}</main></body></html>\n"
    )


def _section(table: Table) -> str:
    rows = [_row("th", table.columns), *(_row("td", cells) for cells in table.cells)]
    return f"<section><h2>{escape(table.title)}</h2><div><table>{''.join(rows)}</table></div></section>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
