"""The figures as tables of text, which the terminal and the page show alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from streamer.analysis.inspection.figures import ACTIVE_DAYS, HORIZON_DAYS, Figures

_SHOWN: Final = 20


class Table(NamedTuple):
    """Cells of text under their ``columns``."""

    title: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]


def tables_of(figures: Figures) -> list[Table]:
    """What there is, and what was found wrong; tables without a row are left out."""
    types = [(name, f"{events:,}", _share(events, figures.events)) for name, events in figures.types.items()]
    unknown = [
        (repr(one.spelling), f"{one.rows:,}", one.meant or "-") for one in figures.unknown_types[:_SHOWN]
    ]
    currencies = [
        (name or "none given", f"{purchases:,}") for name, purchases in figures.amounts.currencies.items()
    ]
    wrong = [(one.kind, one.field or "-", f"{one.rows:,}", one.first) for one in figures.wrong[:_SHOWN]]
    gaps = [] if figures.times is None else figures.times.gaps
    tables = [
        Table("Overview", ("what", "how many"), list(_overview(figures))),
        Table("Types", ("type", "events", "share"), types),
        Table("Types left out", ("spelling", "rows", "meant?"), unknown),
        Table("Rows that are no events", ("kind", "field", "rows", "the first"), wrong),
        Table("Currencies of purchases", ("currency", "purchases"), currencies),
        Table("Without any event", ("from", "to", "days"), [(g.begins, g.ends, f"{g.days:g}") for g in gaps]),
    ]
    return [table for table in tables if table.cells]


def _overview(figures: Figures) -> Iterator[tuple[str, str]]:
    users, times = figures.users, figures.times
    yield "rows", f"{figures.rows:,}"
    yield "events", f"{figures.events:,}"
    yield "with an id that the user has already", f"{figures.repeated:,}"
    yield "others of one user, type and moment", f"{figures.same_moment:,}"
    yield "fields that the contract does not know", f"{figures.unknown_fields:,}"
    if times is not None:
        yield "first event", times.first
        yield "last event", times.last
        yield "days", f"{times.days:g}"
        yield "events older than one before them", f"{times.late:,}"
        yield "of the two most frequent times of day", f"{times.one_time_of_day:.1%}"
    yield "users", f"{users.users:,}"
    yield "events of a user (median)", f"{users.median_events:g}"
    yield "users who bought", f"{users.buyers:,}"
    yield "who bought twice or more", f"{users.repeat_buyers:,}"
    yield f"active in the {ACTIVE_DAYS:g} days before the last {HORIZON_DAYS:g}", f"{users.active:,}"
    yield f"of those, who bought in the last {HORIZON_DAYS:g} days", f"{users.stayed:,}"
    amounts = figures.amounts
    yield "purchases without an amount", _of(amounts.without_amount, amounts.purchases)
    yield "purchases with a negative amount", _of(amounts.negative, amounts.purchases)


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
