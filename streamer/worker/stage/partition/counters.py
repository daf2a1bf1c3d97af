"""What has happened in a partition since its first record, as plain numbers that outlive a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]

MOST_NAMES: Final = 12
NAME_CHARACTERS: Final = 24
OTHER: Final = "other"
MOST_SPELLINGS: Final = 8
SPELLING_BYTES: Final = 64
_ESCAPED: Final = frozenset('"\\')


class Counters(msgspec.Struct, omit_defaults=True):
    """Counts of records, alerts and decisions.

    ``records``: read from the events topic, whatever became of them. ``forwarded``: of them, those sent on to
    their users' partitions. ``events``: applied here, also those that other partitions have forwarded.
    ``erasures``: requests to forget a user, each counted where it was sent to.
    ``foreign_currency``: events whose amounts do not count. ``unreadable``: events by the amount that
    could not be read. ``skipped`` by reason, ``dead_letters`` by error class,
    ``alerts`` by transition, ``decisions`` by what stood in the way, or else by their action.
    ``spellings``: events of unknown types by their types, of the few that came last.
    """

    records: Count = 0
    events: Count = 0
    forwarded: Count = 0
    unknown_fields: Count = 0
    foreign_currency: Count = 0
    erasures: Count = 0
    skipped: dict[str, Count] = {}
    dead_letters: dict[str, Count] = {}
    alerts: dict[str, Count] = {}
    decisions: dict[str, Count] = {}
    unreadable: dict[str, Count] = {}
    spellings: dict[str, Count] = {}


def count(counts: dict[str, int], name: str, number: int = 1) -> None:
    """Add ``number`` to the count of ``name``."""
    counts[name] = counts.get(name, 0) + number


def count_spelling(spellings: dict[str, int], spelling: str) -> None:
    """Add one to the count of ``spelling``; one that has not come for longest makes room for it."""
    if spelling not in spellings:
        spelling = legible(spelling, SPELLING_BYTES)
    spellings[spelling] = spellings.pop(spelling, 0) + 1
    if len(spellings) > MOST_SPELLINGS:
        del spellings[next(iter(spellings))]


def total(each: Iterable[Counters]) -> Counters:
    """The sum of all of them."""
    summed = Counters()
    for counters in each:
        for field in Counters.__struct_fields__:
            value = getattr(counters, field)
            if isinstance(value, int):
                setattr(summed, field, getattr(summed, field) + value)
            else:
                for name, number in value.items():
                    count(getattr(summed, field), name, number)
    return summed


def bounded(counters: Counters) -> Counters:
    """The same totals in a size that has a limit: rare names beyond a dozen become ``other``.

    ``spellings`` have theirs from where they are counted.
    """
    shortened = {
        field: _bounded(value)
        for field in Counters.__struct_fields__
        if isinstance(value := getattr(counters, field), dict) and field != "spellings"
    }
    return msgspec.structs.replace(counters, **shortened)


def printable(text: str, characters: int) -> str:
    """``text`` cut to plain ASCII of at most ``characters`` bytes, as it is and inside a JSON string."""
    if len(text) <= characters and text.isascii() and text.isprintable() and not set(text) & _ESCAPED:
        return text
    return "".join(c if " " <= c <= "~" and c not in _ESCAPED else "?" for c in text[:characters])


def legible(text: str, most_bytes: int) -> str:
    """``text`` in any script, cut to ``most_bytes`` of UTF-8, as it is and inside a JSON string."""
    shown = "".join(c if c.isprintable() and c not in _ESCAPED else "?" for c in text[:most_bytes])
    return shown.encode()[:most_bytes].decode(errors="ignore")


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    short: dict[str, int] = {}
    for name, number in counts.items():
        count(short, printable(name, NAME_CHARACTERS), number)
    if len(short) <= MOST_NAMES:
        return short
    rest = short.pop(OTHER, 0)
    by_size = sorted(short.items(), key=lambda item: (-item[1], item[0]))
    kept, folded = by_size[: MOST_NAMES - 1], by_size[MOST_NAMES - 1 :]
    return {**dict(kept), OTHER: rest + sum(number for _, number in folded)}
