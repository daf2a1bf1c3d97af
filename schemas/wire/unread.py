"""A record whose bytes were not taken, because they would have been too many."""

from __future__ import annotations

from typing import Final

UNREAD_CLASS: Final = "too-large"
"""The error class of a record that is refused for its size."""


class Unread(bytes):
    """The empty value of a record that stands for a batch of them, which was not decompressed.

    ``reason``: a sentence that names the batch's offsets and sizes. ``left_out``: what was not taken, as the
    header of its dead letter tells it. A type of its own, because no sender can make one.
    """

    reason: str
    left_out: str

    def __new__(cls, reason: str, left_out: str) -> Unread:
        """An empty value with its ``reason``."""
        made = super().__new__(cls)
        made.reason = reason
        made.left_out = left_out
        return made
