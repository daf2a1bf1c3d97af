"""A command group that imports a command only when it is called, so that ``--help`` stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Where a command lives (``module:attribute``) and its line in the list of commands."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group over a table of :class:`LazyCommand`."""

    def __init__(self, *, commands: Mapping[str, LazyCommand], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the table."""
        return list(self._table)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import the command; ``None`` when there is none of that name."""
        if cmd_name not in self._table:
            return None
        module, attribute = self._table[cmd_name].target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{module}:{attribute} is not a command"
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._table.items()])
