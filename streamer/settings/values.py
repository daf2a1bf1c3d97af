"""What values a setting takes, in words: for errors and for the documented table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec.inspect

from streamer.settings.secret import Secret


class Form(NamedTuple):
    """What a text has to look like beyond its type: ``extra={"form": Form(...)}`` of a setting's ``Meta``.

    ``plain``: the text as it is used; raises ``ValueError`` where it has not this form. Without it a pattern
    beside it checks the text.
    """

    words: str
    plain: Callable[[str], str] = str


def form_of(annotated: Any) -> Form | None:
    """The form that a setting's text must have, if it must have one."""
    match msgspec.inspect.type_info(annotated):
        case msgspec.inspect.Metadata(extra={"form": Form() as form}):
            return form
        case _:
            return None


def expected(annotated: Any) -> str:
    """What values a setting takes, for an error or a table: ``a whole number, at least 1``."""
    return in_words(msgspec.inspect.type_info(annotated))


def in_words(info: msgspec.inspect.Type) -> str:
    """What values a type takes: ``a whole number, at least 1``."""
    match info:
        case msgspec.inspect.Metadata(extra={"form": Form(words=words)}):
            return words
        case msgspec.inspect.Metadata(type=inner):
            return in_words(inner)
        case msgspec.inspect.UnionType(types=members):
            given = [member for member in members if not isinstance(member, msgspec.inspect.NoneType)]
            return " or ".join(in_words(member) for member in given)
        case msgspec.inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType():
            return "a whole number" + _bounds(info)
        case msgspec.inspect.FloatType():
            return "a number" + _bounds(info)
        # A pattern is no word: its setting has a form beside it.
        case msgspec.inspect.StrType(pattern=None, min_length=min_length):
            return "a text that is not empty" if min_length else "a text"
        case msgspec.inspect.DateTimeType():
            return "a time with its offset"
        case msgspec.inspect.CustomType(cls=cls) if cls is Secret:
            return "a text that is not empty"
        case msgspec.inspect.CustomType():
            return "a path"
        case _:
            raise TypeError(f"no words for settings of type {info}")


def _bounds(info: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    words = {"at least": info.ge, "above": info.gt, "at most": info.le, "below": info.lt}
    return "".join(f", {word} {bound:g}" for word, bound in words.items() if bound is not None)
