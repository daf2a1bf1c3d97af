"""What there is in files of events, in figures."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from schemas.event import EVENT_TYPE_CODES, EVENT_TYPES
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.analysis.inspection.collected import Collected
from streamer.data.files.spellings import meant_type

HORIZON_DAYS: Final = 28.0
ACTIVE_DAYS: Final = 60.0
"""What ``streamer train`` takes where nothing else is asked for."""

_PURCHASE: Final = EVENT_TYPE_CODES["purchase"]
_BULK: Final = (0.0005, 0.9995)
_MOST_GAPS: Final = 5
_LEAST_GAP_DAYS: Final = 2.0
_GAP_AGAINST_MEAN: Final = 50


class WrongRows(Struct, frozen=True):
    """Rows that are no events; ``first`` is the message that a command would stop with."""

    kind: str
    field: str
    rows: int
    first: str


class UnknownType(Struct, frozen=True):
    """A type that is none of the contract's, and the one that may be meant."""

    spelling: str
    rows: int
    meant: str | None


class Gap(Struct, frozen=True):
    """A stretch without any event."""

    begins: str
    ends: str
    days: float


class Times(Struct, frozen=True):
    """``bulk_from`` to ``bulk_to`` have all but one in a thousand events; ``bulk_days`` are between them.

    ``one_time_of_day``: the share of events whose time of day (UTC) is one of the two most frequent.
    ``late``: events older than one before them in their file, by at most ``latest_s``.
    """

    first: str
    last: str
    days: float
    bulk_from: str
    bulk_to: str
    bulk_days: float
    one_time_of_day: float
    gaps: list[Gap]
    late: int
    latest_s: float


class Users(Struct, frozen=True):
    """``median_events`` a user. ``active``: had an event in the 60 days before the last horizon began.

    ``stayed``: of those, users who bought within the horizon.
    """

    users: int
    median_events: float
    buyers: int
    repeat_buyers: int
    active: int
    stayed: int


class Amounts(Struct, frozen=True):
    """Of purchases: by currency ("" where none is given), without any amount, and with a negative one."""

    purchases: int
    currencies: dict[str, int]
    without_amount: int
    negative: int


class Figures(Struct, frozen=True):
    """All there is to judge by. ``repeated``: events whose user has that id already; they count once.

    ``same_moment``: events beyond the first of one user, type and millisecond, whatever their ids.
    """

    rows: int
    events: int
    types: dict[str, int]
    unknown_types: list[UnknownType]
    in_future: int
    first_in_future: str | None
    wrong: list[WrongRows]
    repeated: int
    same_moment: int
    unknown_fields: int
    times: Times | None
    users: Users
    amounts: Amounts


def figures_of(found: Collected) -> Figures:
    """The figures of what was collected; ``times`` are None where there is no event."""
    users = np.frombuffer(found.users, np.int64)
    times = np.frombuffer(found.times_ms, np.int64)
    types = np.frombuffer(found.types, np.uint8)
    by_type = np.bincount(types, minlength=len(EVENT_TYPES))
    counts = found.counts
    wrong = [WrongRows(kind, name, one.rows, one.first) for (kind, name), one in found.wrong.items()]
    repeated = len(users) - len(np.unique(np.frombuffer(found.ids, np.int64)))
    return Figures(
        rows=counts.events + counts.left_out + sum(one.rows for one in wrong),
        events=counts.events,
        types={name: int(by_type[code]) for code, name in enumerate(EVENT_TYPES) if by_type[code]},
        unknown_types=[
            UnknownType(name, rows, meant_type(name)) for name, rows in counts.types.most_common()
        ],
        in_future=counts.in_future,
        first_in_future=counts.first_in_future,
        wrong=sorted(wrong, key=lambda one: -one.rows),
        repeated=repeated,
        same_moment=max(0, _same_moment(users, times, types) - repeated),
        unknown_fields=counts.unknown_fields,
        times=_times(times, found) if len(times) else None,
        users=_users(users, times, types),
        amounts=Amounts(
            int(by_type[_PURCHASE]),
            dict(found.currencies.most_common()),
            found.without_amount,
            found.negative_amounts,
        ),
    )


def _same_moment(
    users: npt.NDArray[np.int64], times: npt.NDArray[np.int64], types: npt.NDArray[np.uint8]
) -> int:
    # Odd factors keep a product of 64 bits as distinct as what went in.
    mixed = users.view(np.uint64) + times.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed * np.uint64(0xD1342543DE82EF95) + types
    return len(mixed) - len(np.unique(mixed))


def _times(times: npt.NDArray[np.int64], found: Collected) -> Times:
    ordered = np.sort(times)
    first, last = int(ordered[0]), int(ordered[-1])
    low, high = (int(ordered[int(share * (len(ordered) - 1))]) for share in (_BULK[0], _BULK[1]))
    of_day = np.sort(np.unique(times % DAY_MS, return_counts=True)[1])
    return Times(
        format_timestamp(first),
        format_timestamp(last),
        _days(last - first),
        format_timestamp(low),
        format_timestamp(high),
        _days(high - low),
        round(float(of_day[-2:].sum() / len(times)), 4),
        _gaps(ordered),
        found.late,
        found.latest_ms / 1_000,
    )


def _gaps(ordered: npt.NDArray[np.int64]) -> list[Gap]:
    """The longest stretches without an event, where they are far longer than is usual."""
    between = np.diff(ordered)
    if not len(between):
        return []
    least = max(_LEAST_GAP_DAYS * DAY_MS, _GAP_AGAINST_MEAN * float(between.mean()))
    longest = np.argsort(-between, kind="stable")[:_MOST_GAPS]
    return [
        Gap(
            format_timestamp(int(ordered[at])),
            format_timestamp(int(ordered[at + 1])),
            _days(int(between[at])),
        )
        for at in longest
        if between[at] >= least
    ]


def _users(users: npt.NDArray[np.int64], times: npt.NDArray[np.int64], types: npt.NDArray[np.uint8]) -> Users:
    if not len(users):
        return Users(0, 0.0, 0, 0, 0, 0)
    everyone, events = np.unique(users, return_counts=True)
    bought = types == _PURCHASE
    _, purchases = np.unique(users[bought], return_counts=True)
    cut = int(times.max()) + 1 - HORIZON_DAYS * DAY_MS
    before = (times < cut) & (times >= cut - ACTIVE_DAYS * DAY_MS)
    active = np.unique(users[before])
    stayed = np.intersect1d(active, users[bought & (times >= cut)])
    return Users(
        users=len(everyone),
        median_events=float(np.median(events)),
        buyers=len(purchases),
        repeat_buyers=int((purchases > 1).sum()),
        active=len(active),
        stayed=len(stayed),
    )


def _days(duration_ms: int) -> float:
    return round(duration_ms / DAY_MS, 2)
