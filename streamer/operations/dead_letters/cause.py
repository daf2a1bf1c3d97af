"""The cause of a dead letter: its error class, and its error message without what differs each time."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

from schemas.dead_letter import DeadLetter

ID_DIGITS: Final = 8

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|\d+(?:[.,:T+-]*\d+)*(?:e[+-]?\d+)?Z?")


class Cause(NamedTuple):
    """Why records fail. ``message``: a message with ``'…'`` for quoted texts and N for numbers and times."""

    error_class: str
    message: str

    @property
    def id(self) -> str:
        """A short name, the same on every machine."""
        return sha256("\n".join(self).encode()).hexdigest()[:ID_DIGITS]

    def is_called(self, name: str | None) -> bool:
        """Whether ``name`` is its id or its class; ``None`` means every cause."""
        return name is None or name in (self.id, self.error_class)


def cause_of(letter: DeadLetter) -> Cause:
    """The cause that a dead letter's headers tell."""
    message = _QUOTED.sub("'…'", letter.error_message)
    return Cause(letter.error_class, _NUMBER.sub("N", message))
