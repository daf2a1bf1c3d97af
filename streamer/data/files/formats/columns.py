"""Which of a table's columns are fields of an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import InputFileError
from streamer.data.files.formats.fields import COLUMNS, REQUIRED_COLUMNS
from streamer.data.files.spellings import folded

_SHOWN_NAMES = 20


def columns_of(path: Path, names: Sequence[str]) -> dict[str, int]:
    """The place (from 0) of each field that the table has.

    A name that differs in capitals, blanks or punctuation only is that of the field, where no other column
    is. Raises ``InputFileError`` where a required field has no column, or any field more than one.
    """
    exact: dict[str, list[int]] = {}
    alike: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        exact.setdefault(name, []).append(place)
        alike.setdefault(folded(name), []).append(place)
    found = {name: exact.get(name) or alike.get(folded(name), []) for name in COLUMNS}
    for name, places in found.items():
        if len(places) > 1:
            several = ", ".join(f"{place + 1} ({names[place]!r})" for place in places)
            raise InputFileError(
                f"{path} has the column {name} more than once, as the columns {several}: keep one of them."
            )
    missing = [name for name in REQUIRED_COLUMNS if not found[name]]
    if missing:
        shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        raise InputFileError(
            f"{path} has no column {', '.join(missing)}; every file of events needs "
            f"{', '.join(REQUIRED_COLUMNS)}. Found: {shown or 'nothing'}{more}."
        )
    return {name: places[0] for name, places in found.items() if places}
