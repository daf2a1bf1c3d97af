"""What follows from the figures: what stops a training, what to mend before it, what is good to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from streamer.analysis.inspection.figures import ACTIVE_DAYS, HORIZON_DAYS, Figures, Times, Users

Weight = Literal["stops", "mend", "know"]

_HORIZONS: Final = 3
"""Training needs events from so many horizons before its end."""
_LEAST_ACTIVE: Final = 500
"""A tenth of the users is held out to say when training ends, and fewer than 50 of them say too little."""
_LEAST_REPEAT_SHARE: Final = 0.1
_MUCH_MISSING: Final = 0.1
_NEARLY_ALL: Final = 0.95
_STRAGGLERS: Final = 1.5


class Advice(Struct, frozen=True):
    """``stops``: training would fail; ``mend``: it would learn from less or from wrong data."""

    weight: Weight
    text: str


def advice_on(figures: Figures) -> list[Advice]:
    """What to do about the files before training on them, the gravest first."""
    found = [*_rows(figures), *_history(figures), *_moments(figures), *_amounts(figures)]
    if not any(one.weight == "stops" for one in found):
        found.append(
            Advice("know", "Nothing stops a training on these files: streamer train FILE... --out DIR.")
        )
    order: tuple[Weight, ...] = ("stops", "mend", "know")
    return sorted(found, key=lambda one: order.index(one.weight))


def _rows(figures: Figures) -> Iterator[Advice]:
    for wrong in figures.wrong:
        yield Advice(
            "stops", f"{wrong.rows:,} rows are no events, and a command stops at the first: {wrong.first}"
        )
    meant = [one for one in figures.unknown_types if one.meant]
    for one in meant:
        yield Advice(
            "mend",
            f"{one.rows:,} rows of type {one.spelling!r} are left out: write {one.meant} if it is meant.",
        )
    others = sum(one.rows for one in figures.unknown_types) - sum(one.rows for one in meant)
    if others:
        yield Advice("know", f"{others:,} rows of types that are not the contract's are left out.")
    if figures.in_future:
        yield Advice(
            "mend",
            f"{figures.in_future:,} rows are left out for a time more than a day ahead of this machine's "
            f"clock, the first in {figures.first_in_future}.",
        )
    if figures.repeated:
        yield Advice(
            "know", f"{figures.repeated:,} events have an id that their user has already: each counts once."
        )
    if figures.same_moment > _MUCH_MISSING * figures.events:
        yield Advice(
            "mend",
            f"{figures.same_moment:,} events are of one user, type and moment but have ids of their own: if "
            "they are lines of one order, make them one event with items; if they are repeats, give them one "
            "id.",
        )


def _history(figures: Figures) -> Iterator[Advice]:
    if figures.times is None:
        yield Advice("stops", "There is no event to learn from.")
        return
    users, days = figures.users, figures.times.days
    needed = _HORIZONS * HORIZON_DAYS
    if days < needed:
        yield Advice(
            "stops",
            f"The events span {days:g} days, and a horizon of {HORIZON_DAYS:g} days needs {needed:g}: give a "
            f"longer history, or a --horizon of at most {max(int(days // _HORIZONS), 0)}d.",
        )
    if not figures.amounts.purchases:
        yield Advice("stops", "There is no purchase: give purchases, or train with --churn-types any.")
    elif days >= needed:
        yield from _outcomes(users)
    if users.buyers and users.repeat_buyers < _LEAST_REPEAT_SHARE * users.buyers:
        yield Advice(
            "mend",
            f"Only {users.repeat_buyers:,} of {users.buyers:,} buyers bought twice: see that user_id is the "
            "customer's, not the order's or the session's.",
        )


def _outcomes(users: Users) -> Iterator[Advice]:
    """Whether what became of the users of the last horizon can be learnt."""
    period = f"in the {ACTIVE_DAYS:g} days before the last {HORIZON_DAYS:g}"
    if not users.active:
        yield Advice("stops", f"No user had an event {period}: see whether the last events are misdated.")
    elif users.stayed in (0, users.active):
        what = "none" if users.stayed == 0 else "all"
        yield Advice(
            "stops",
            f"Of {users.active:,} users with an event {period}, {what} bought again: there is nothing to "
            "tell apart. Choose another --horizon, or see whether the newest purchases are missing.",
        )
    elif users.active < _LEAST_ACTIVE:
        yield Advice(
            "mend",
            f"Only {users.active:,} users had an event {period}: from {_LEAST_ACTIVE:,} on training can tell "
            "when it has learnt enough, and its figures are sure enough to choose by.",
        )


def _moments(figures: Figures) -> Iterator[Advice]:
    times = figures.times
    if times is None:
        return
    if times.one_time_of_day >= _NEARLY_ALL and figures.events > 2:
        yield Advice(
            "mend",
            f"{times.one_time_of_day:.0%} of the events have one of two times of day, as dates without a "
            "time have: their order within a day is lost. Give the time of day where it is known.",
        )
    yield from _stragglers(times)
    for gap in times.gaps:
        yield Advice(
            "mend",
            f"There is no event for {gap.days:g} days from {gap.begins} to {gap.ends}: if files are missing, "
            "everybody seems to have been silent.",
        )
    if times.late:
        yield Advice(
            "know",
            f"{times.late:,} events are older than one before them in their file, by up to "
            f"{times.latest_s:,.0f} s: train sorts by itself; sort the file before streamer replay, "
            "which keeps its order.",
        )


def _stragglers(times: Times) -> Iterator[Advice]:
    if times.days > _STRAGGLERS * times.bulk_days + 1:
        yield Advice(
            "mend",
            f"All but one in a thousand events lie from {times.bulk_from} to {times.bulk_to}, the others "
            f"from {times.first} to {times.last}: training ends with the last of them, so leave out those "
            "misdated, or give --train-until.",
        )


def _amounts(figures: Figures) -> Iterator[Advice]:
    amounts = figures.amounts
    named = [name for name in amounts.currencies if name]
    if len(named) > 1:
        yield Advice(
            "mend",
            f"Purchases are in {len(named)} currencies ({', '.join(named[:8])}), and amounts are not "
            f"converted: set STREAMER_CURRENCY={named[0]} to take the others' amounts as unknown.",
        )
    if amounts.without_amount > _MUCH_MISSING * amounts.purchases:
        yield Advice(
            "mend",
            f"{amounts.without_amount:,} of {amounts.purchases:,} purchases have neither a value nor a "
            "price: they count as visits, and spending is unknown.",
        )
    if amounts.negative:
        yield Advice(
            "mend",
            f"{amounts.negative:,} purchases have a negative value: write what is given back as refund.",
        )
