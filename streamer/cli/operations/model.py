"""``streamer model``: exchange the model under load."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli.settings_option import settings_option
from streamer.settings.settings import Settings

if TYPE_CHECKING:
    from streamer.operations.deployment import Deployment


@click.group(name="model", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Exchange the model under load: load, then promote or drop; roll back.

    Every worker needs the bundle's folder under the same path. `streamer status` shows how far they are.
    """


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
@settings_option
def load(directory: Path, settings: Settings) -> None:
    """Check the bundle in DIRECTORY, and try it beside the one that serves; nothing of it is sent."""
    from streamer.operations.models import exchange as operator

    _show(asyncio.run(operator.load(settings, directory)))


@command.command()
@settings_option
def promote(settings: Settings) -> None:
    """Let the bundle on trial serve; each partition takes it up between two batches."""
    from streamer.operations.models import exchange as operator

    _show(asyncio.run(operator.promote(settings)))


@command.command()
@settings_option
def rollback(settings: Settings) -> None:
    """Let the bundle that served before serve again."""
    from streamer.operations.models import exchange as operator

    _show(asyncio.run(operator.roll_back(settings)))


@command.command()
@settings_option
def drop(settings: Settings) -> None:
    """End the trial of a bundle."""
    from streamer.operations.models import exchange as operator

    asyncio.run(operator.drop(settings))


@command.command()
@settings_option
def reset(settings: Settings) -> None:
    """Forget every decision: each worker serves its STREAMER_BUNDLE from its next start on."""
    from streamer.operations.models import exchange as operator

    asyncio.run(operator.forget(settings))


def _show(deployment: Deployment) -> None:
    from streamer.operations.models.wording import rollout_facts

    for name, fact in rollout_facts(deployment).items():
        click.echo(f"{name.ljust(10)}{fact}")
