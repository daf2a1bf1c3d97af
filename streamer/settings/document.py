"""The table of all settings in ``docs/settings.md``.

``python -m streamer.settings.document`` writes the table anew after a change of the settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import msgspec
import msgspec.inspect

from streamer.settings.settings import Settings
from streamer.settings.sources import ENVIRONMENT_PREFIX
from streamer.settings.values import in_words

SETTINGS_DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"

_HEAD = """\
# Settings

From the environment first, then a TOML file (`--config`, else `STREAMER_CONFIG`, else `streamer.toml` in the
working directory), then these defaults. In the file a setting bears the name in the second column. A name
or a value that does not fit ends the program with exit code 2 and says which.

| environment | file | value | default | meaning |
|---|---|---|---|---|
"""


def settings_table(struct: type[msgspec.Struct], environment_prefix: str) -> str:
    """The documented table of settings, as Markdown."""
    types = get_type_hints(struct, include_extras=True)
    rows: list[str] = []
    for field in msgspec.structs.fields(struct):
        info = msgspec.inspect.type_info(types[field.name])
        description = (getattr(info, "extra_json_schema", None) or {}).get("description", "")
        default = "" if field.default is None else f"`{field.default}`" if field.default != "" else "(empty)"
        rows.append(
            f"| `{environment_prefix}{field.name.upper()}` | `{field.name}` | {in_words(info)} | {default} "
            f"| {description} |\n"
        )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    SETTINGS_DOCUMENT.write_text(settings_table(Settings, ENVIRONMENT_PREFIX), encoding="utf-8")
