"""The files and the bundle that commands are given by their paths."""

from __future__ import annotations

from pathlib import Path

import click

event_files = click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
"""Gives a command its ``files`` of events, one at least."""

bundle_option = click.option(
    "--bundle",
    "bundle_path",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the model bundle.",
)
"""Gives a command its ``bundle_path``."""
