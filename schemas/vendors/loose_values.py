"""Values as platforms write them: numbers as text, identifiers as numbers, absence as an empty text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from msgspec import Meta, Raw

from schemas.event import MAX_ID_LENGTH, MAX_NUMBER, Skipped

WholeNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# Whatever stands there, the purchase counts; what can be made of it is for number_of and label_of to say.
LooseNumber = Any
LooseLabel = Any
LooseIdentifier = str | WholeNumber | None

ANONYMOUS: Final = Skipped("anonymous")
"""An event of nobody in particular: before a log-in, or of a guest."""

Value = TypeVar("Value")

_NOT_SET: Final = ("", "(not set)")
_EMPTY: Final = re.compile(rb"\s*\[\s*\]\s*")
_AMOUNT: Final = re.compile(
    r"([-+]?)\s*[$€£¥₹₩₽₺₫₴₪฿]?\s*([-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?))\s*[$€£¥₹₩₽₺₫₴₪฿]?"
)


def text_of(value: str | None) -> str | None:
    """The text, or ``None`` where it only says that there is none."""
    return None if value in _NOT_SET else value


def unknown_type(spelling: str | None, user_id: LooseIdentifier) -> Skipped:
    """An event that is none of the contract's types."""
    names_user = user_id is not None and str(user_id) in (spelling or "")
    return Skipped("unknown-type", "" if names_user else spelling or "")


def identifier_of(value: LooseIdentifier) -> str | None:
    """The identifier as text, ``None`` for an empty one."""
    return text_of(str(value) if isinstance(value, int) else value)


def label_of(value: object) -> str | None:
    """A category or brand as text: a number's digits, a list's first text; ``None`` for anything else."""
    if isinstance(value, list):
        return next((label for each in cast("list[object]", value) if (label := label_of(each))), None)
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return format(value, ".15g") if abs(value) <= MAX_NUMBER else None


def number_of(value: object) -> float | None:
    """The number, ``None`` where there is none, NaN for something that cannot be read as one.

    A sign of a currency and commas between thousands are read over.
    """
    if value is None or value is False:
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        written = _AMOUNT.fullmatch(value.strip()[:MAX_ID_LENGTH])
        value = _signed(*written.groups()) if written else math.nan
    if value is True or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
        return math.nan
    return float(value)


def _signed(sign: str, digits: str) -> float:
    number = float(digits.replace(",", ""))
    return -number if sign == "-" else number


def first_number(values: Iterable[object]) -> float | None:
    """The first that can be read, else NaN if there is any."""
    numbers = [number for value in values if (number := number_of(value)) is not None]
    return next((number for number in numbers if not math.isnan(number)), math.nan if numbers else None)


def order_id(value: LooseIdentifier) -> str | None:
    """The id of the event that completes an order: the order told twice is one event."""
    order = identifier_of(value)
    return None if order is None else f"order {sha256(order.encode()).hexdigest()[:32]}"


def map_of(decoder: msgspec.json.Decoder[Value | None], raw: Raw) -> Value | None:
    """The map in ``raw``; PHP writes an empty one as an empty list."""
    return None if _EMPTY.fullmatch(raw) else decoder.decode(raw)


def list_of(
    decoder: msgspec.json.Decoder[tuple[Value, ...] | None],
    by_place: msgspec.json.Decoder[dict[str, Value]],
    raw: Raw,
) -> tuple[Value, ...]:
    """The list in ``raw``; PHP writes one with a gap as an object whose names are the places."""
    if not bytes(raw).lstrip().startswith(b"{"):
        return decoder.decode(raw) or ()
    return tuple(by_place.decode(raw).values())


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
