"""Settings in words: what a value may be, and the table of all of them in ``docs/settings.md``.

``python -m streamer.settings.document`` writes the table anew after a change of the settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import msgspec.inspect

from streamer.settings.secret import Secret

SETTINGS_DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"

_HEAD = """\
# Settings

From the environment first, then a TOML file (`--config`, else `STREAMER_CONFIG`, else `streamer.toml` in the
working directory), then these defaults. In the file a setting bears the name in the second column. A name
or a value that does not fit ends the program with exit code 2 and says which.

| environment | file | value | default | meaning |
|---|---|---|---|---|
"""


def expected(annotated: Any) -> str:
    """What values a setting takes, for an error or a table: ``a whole number, at least 1``."""
    return _in_words(msgspec.inspect.type_info(annotated))


def settings_table(struct: type[msgspec.Struct], environment_prefix: str) -> str:
    """The documented table of settings, as Markdown."""
    types = get_type_hints(struct, include_extras=True)
    rows: list[str] = []
    for field in msgspec.structs.fields(struct):
        info = msgspec.inspect.type_info(types[field.name])
        description = (getattr(info, "extra_json_schema", None) or {}).get("description", "")
        default = "" if field.default is None else f"`{field.default}`" if field.default != "" else "(empty)"
        rows.append(
            f"| `{environment_prefix}{field.name.upper()}` | `{field.name}` | {_in_words(info)} | {default} "
            f"| {description} |\n"
        )
    return _HEAD + "".join(rows)


def _in_words(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return _in_words(inner)
        case msgspec.inspect.UnionType(types=members):
            given = [member for member in members if not isinstance(member, msgspec.inspect.NoneType)]
            return " or ".join(_in_words(member) for member in given)
        case msgspec.inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType():
            return "a whole number" + _bounds(info)
        case msgspec.inspect.FloatType():
            return "a number" + _bounds(info)
        case msgspec.inspect.StrType(pattern=str(pattern)):
            # A bar would end the table's cell.
            return f"a text that matches `{pattern}`".replace("|", "\\|")
        case msgspec.inspect.StrType(min_length=min_length):
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


if __name__ == "__main__":
    from streamer.settings.settings import Settings
    from streamer.settings.sources import ENVIRONMENT_PREFIX

    SETTINGS_DOCUMENT.write_text(settings_table(Settings, ENVIRONMENT_PREFIX), encoding="utf-8")
