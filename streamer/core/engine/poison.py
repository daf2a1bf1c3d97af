"""Events that cannot be applied, found in a batch that failed, so that only they are left out.

A failure may lie in an event, or in what every event needs: the model's sessions, the memory, a user whose
deadline comes. To tell them apart a suspect is replaced by an ordinary event of nobody at the same moment: if
that fails as well, no event is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.event import Event
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.history.token import place, tokenise

NOBODY: Final = ""
"""A user whom no event can name."""

Attempt = Callable[[Sequence[PartitionEvent]], Exception | None]
"""Applies events and takes them back; returns what was raised on the way, ``None`` if nothing was."""


class Poison(NamedTuple):
    """An event that cannot be applied, and what that raises."""

    event: PartitionEvent
    error: Exception


class Separated(NamedTuple):
    """``good``: the events that can be applied together. ``poison``: the others. Both in offset order."""

    good: list[PartitionEvent]
    poison: list[Poison]


def separate(events: Sequence[PartitionEvent], attempt: Attempt) -> Separated:
    """Find the events of a batch that cannot be applied, from the first on.

    For each of them that takes at most about two attempts for every doubling of the batch's size. Raises what
    ``attempt`` has returned where no event is to blame for it.
    """
    good: list[PartitionEvent] = []
    poison: list[Poison] = []
    rest = list(events)
    while (error := attempt([*good, *rest])) is not None:
        if not rest:
            raise error
        passing = _longest_passing(good, rest, attempt)
        good += rest[:passing]
        suspect, rest = rest[passing], rest[passing + 1 :]
        if (general := attempt([*good, stand_in(suspect)])) is not None:
            raise general
        # Once more: what fails now and then is no event's fault either.
        if (error := attempt([*good, suspect])) is None:
            good.append(suspect)
        else:
            poison.append(Poison(suspect, error))
    return Separated([*good, *rest], poison)


def stand_in(event: PartitionEvent) -> PartitionEvent:
    """An ordinary event of nobody in the place of ``event``, at its moment."""
    moment_ms = place(event.token, 0)[0]
    return replace(event, user_id=NOBODY, token=tokenise(Event(NOBODY, NOBODY, "view", moment_ms)))


def _longest_passing(good: Sequence[PartitionEvent], rest: Sequence[PartitionEvent], attempt: Attempt) -> int:
    """How many of ``rest``, which fails as a whole, can be applied after ``good``.

    Looked for near the beginning first: where poison is dense, short attempts find the next.
    """
    passing, failing, step = 0, len(rest), 1
    while failing - passing > 1:
        middle = min(passing + step, (passing + failing) // 2)
        if attempt([*good, *rest[:middle]]) is None:
            passing, step = middle, 2 * step
        else:
            failing = middle
    return passing
