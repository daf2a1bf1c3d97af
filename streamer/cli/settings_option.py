"""The ``--config`` option of every command that needs settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streamer.settings.loading import load_settings
from streamer.settings.settings import Settings


class SettingsParameter(click.ParamType):
    """A settings file on the command line; the command receives the loaded :class:`Settings`."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Settings:  # noqa: ARG002 - click
        """Load the environment and the file; raises :class:`ConfigurationError`."""
        return value if isinstance(value, Settings) else load_settings(Path(value))


settings_option = click.option(
    "--config",
    "settings",
    type=SettingsParameter(),
    default=load_settings,
    help="Settings as TOML; the environment (STREAMER_*) comes first.  [default: streamer.toml, if there]",
)
"""Gives a command its ``settings``: environment, then the file, then defaults."""
