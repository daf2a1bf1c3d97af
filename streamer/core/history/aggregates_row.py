"""One user's running aggregates, by name, and how they lie in the user's state."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, Self


class AggregatesRow(NamedTuple):
    """A row of :data:`~streamer.core.history.aggregates.Aggregates`; the fields are its columns, in order."""

    first_time: float  # epoch ms
    last_time: float  # epoch ms, of the customer's newest action, or of the first event before any
    first_purchase_time: float  # epoch ms, NaN before the first
    last_purchase_time: float  # epoch ms, NaN before the first
    events: float
    purchases: float
    lines: float  # items bought
    value: float  # money spent less money refunded
    last_value: float  # money of the last purchase
    visit_days: float  # distinct days with any action of the customer
    purchase_days: float
    gap_total: float  # days between visit days: sum, squares, sum of log1p, longest, last, smoothed
    gap_squares: float
    gap_logs: float
    gap_longest: float
    gap_last: float
    gap_smoothed: float
    visits_4d: float  # visit days, decayed with each half-life
    visits_14d: float
    visits_45d: float
    purchases_4d: float  # purchase days, likewise
    purchases_14d: float
    purchases_45d: float
    value_14d: float
    value_45d: float
    events_4d: float
    events_14d: float
    refunds: float
    visits_90d: float  # what is usual: visit days, purchase days and money
    purchases_90d: float
    value_90d: float

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """The row whose float64 columns are ``packed``."""
        return cls(*_ROW.unpack(packed))


_ROW: Final = struct.Struct(f"<{len(AggregatesRow._fields)}d")


def alone(name: str) -> struct.Struct:
    """What unpacks one column of a packed row, for those who read it for every event.

    >>> alone("last_time").unpack_from(struct.pack("<3d", 1.0, 2.0, 3.0))
    (2.0,)
    """
    return struct.Struct(f"<{8 * AggregatesRow._fields.index(name)}xd")
