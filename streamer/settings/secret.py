"""A value that nobody should read by accident."""

from __future__ import annotations

from typing import Final

MASK: Final = "***"


class Secret:
    """A text that shows as ``***`` wherever it is printed, logged or formatted; :meth:`reveal` gives it out.

    It cannot be pickled, and no encoder knows it: where it has to go is said in the code.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
