"""What a row of a file turns out to be: an event, a row that is left out and told, or one that is wrong."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from schemas.event import Event

Reason = Literal["unknown type", "time in the future"]

UNKNOWN_TYPE: Final = "unknown type"
FUTURE: Final = "time in the future"


class LeftOut(NamedTuple):
    """A well-formed row that is no event to work with; ``what`` is its type or its time, as it is written."""

    reason: Reason
    what: str
    place: str


class Unreadable(NamedTuple):
    """A row that is no event. ``kind`` is short and stable; ``message`` names file, row and column."""

    kind: str
    field: str | None
    message: str


Row = Event | LeftOut | Unreadable
