"""What is told of a user's future in an alert, and when too little is known for that."""

from __future__ import annotations

from typing import Final

from streamer.core.history.aggregates_row import AggregatesRow
from streamer.core.model.outlook import Outlook

LEAST_PURCHASES: Final = 2
"""Purchases from which an expected value is told."""

LEAST_EVENTS: Final = 3
"""Events from which a next action and its category are told."""


def known_outlook(outlook: Outlook, aggregates: bytes) -> Outlook:
    """The parts of ``outlook`` that the user's history suffices for.

    ``aggregates``: packed float64 columns. A history whose money is nothing, since no amount is known or all
    of it was refunded, says nothing of a value.
    """
    row = AggregatesRow.unpacked(aggregates)
    if row.purchases < LEAST_PURCHASES or row.value <= 0.0:
        outlook = outlook._replace(spend=None)
    if row.events < LEAST_EVENTS:
        outlook = outlook._replace(action=None, category=None)
    return outlook
