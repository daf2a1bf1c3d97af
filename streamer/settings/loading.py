"""Settings from the environment, then a TOML file, then the defaults.

A setting ``bootstrap`` is the environment variable ``STREAMER_BOOTSTRAP`` and the key ``bootstrap`` of
the file: the one given, else ``STREAMER_CONFIG``, else ``streamer.toml`` in the working directory if
there is one. Names that are not settings and values that do not fit are refused, never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_type_hints

from streamer.settings.settings import Settings
from streamer.settings.sources import from_environment, from_file


def load_settings(
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from the environment (``os.environ`` by default), the TOML file, the defaults, in that order.

    Raises :class:`ConfigurationError` that names the setting, where it came from and what was expected.
    """
    environment = os.environ if environment is None else environment
    types = get_type_hints(Settings, include_extras=True)
    values = from_file(config, environment, types) | from_environment(environment, types)
    return Settings(**values)
