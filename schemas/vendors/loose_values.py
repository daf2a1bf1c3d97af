"""Values as platforms write them: numbers as text, identifiers as numbers, absence as an empty text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta

from schemas.errors import MalformedEventError
from schemas.event import Skipped

WholeNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
LooseNumber = float | str | None
LooseIdentifier = str | WholeNumber | None

ANONYMOUS: Final = Skipped("anonymous")
"""An event of nobody in particular: before a log-in, or of a guest."""

UNKNOWN_TYPE: Final = Skipped("unknown-type")
"""An event that is none of the contract's types."""

_NOT_SET: Final = ("", "(not set)")


def text_of(value: str | None) -> str | None:
    """The text, or ``None`` where it only says that there is none."""
    return None if value in _NOT_SET else value


def identifier_of(value: LooseIdentifier) -> str | None:
    """The identifier as text, ``None`` for an empty one."""
    return text_of(str(value) if isinstance(value, int) else value)


def number_of(value: LooseNumber, field: str) -> float | None:
    """The number, ``None`` for an empty text.

    Raises ``MalformedEventError`` that names ``field`` for a text that is no finite number.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        number = math.nan if "_" in value else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MalformedEventError("wrong-type", f"The event's {field} is a text that holds no number.")
    return number


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
