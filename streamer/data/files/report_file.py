"""The ``--report`` option of long commands: their figures as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from schemas.errors import ConfigurationError

report_option = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures of the run to this file, as JSON.",
)


def write_report(path: Path | None, figures: Mapping[str, object] | msgspec.Struct) -> None:
    """Write the figures where a file was asked for; raises ``ConfigurationError`` when that fails."""
    if path is None:
        return
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"--report {path} cannot be written: {error.strerror}") from error


def require_writable(file: Path) -> None:
    """Refuse a report that could not be written, before the work is done."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise ConfigurationError(
            f"the report {file} cannot be written: --report takes a file in a directory that exists"
        )
