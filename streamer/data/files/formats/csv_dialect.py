"""How a CSV file is written, by its first line: its separator, and whether blanks follow it."""

from __future__ import annotations

import csv
import re
from typing import Final, NamedTuple

from streamer.data.files.formats.fields import REQUIRED_COLUMNS
from streamer.data.files.spellings import folded

_SEPARATORS: Final = (",", ";", "\t", "|")
_WANTED: Final = frozenset(folded(name) for name in REQUIRED_COLUMNS)
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\r\n"])"?[\r\n]*', re.IGNORECASE)


class Dialect(NamedTuple):
    """``blanks_follow``: after each separator, and are no part of the cells."""

    separator: str
    blanks_follow: bool


def named_separator(line: str) -> str | None:
    """The separator that Excel's line ``sep=;`` before the header names, where it is one."""
    found = _SEPARATOR_LINE.fullmatch(line)
    return found[1] if found else None


def dialect_of(header: str, separator: str | None) -> Dialect:
    """The dialect of the line ``header``; its separator finds most of the required columns, if none is given.

    In doubt it is a comma.
    """
    chosen = separator or max(
        _SEPARATORS, key=lambda one: len(_WANTED & set(map(folded, _cells(header, one))))
    )
    return Dialect(chosen, any(name.startswith(" ") for name in _cells(header, chosen)[1:]))


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])
