"""What a model expects of a user beside the risk."""

from __future__ import annotations

from typing import Final, NamedTuple


class Likely(NamedTuple):
    """What is likeliest to come, and how likely it is."""

    name: str
    probability: float


class Outlook(NamedTuple):
    """What is to be expected of a user; ``None`` for what is not known.

    ``spend``: money, less refunds, within the horizon. ``action``, ``category``: of the user's next event.
    """

    spend: float | None = None
    action: Likely | None = None
    category: Likely | None = None


NO_OUTLOOK: Final = Outlook()
