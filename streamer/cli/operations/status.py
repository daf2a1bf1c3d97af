"""``streamer status``: is it well?"""

from __future__ import annotations

import asyncio
import time

import click
import msgspec

from streamer.cli.settings_option import settings_option
from streamer.settings.settings import Settings


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
@settings_option
def command(as_json: bool, settings: Settings) -> int:
    """Show how the workers of a deployment are: lag, what was read and decided, what needs attention.

    Asks the broker alone, from any machine with the deployment's settings. Exit code 0 when all is well,
    1 when something needs attention.
    """
    from streamer.operations.deployment import observe
    from streamer.operations.status.attention import attention
    from streamer.operations.status.wording import in_words

    deployment = asyncio.run(observe(settings, time.time_ns() // 1_000_000))
    findings = attention(deployment)
    if as_json:
        view = {**msgspec.to_builtins(deployment), "attention": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(view)).decode())
    else:
        click.echo(in_words(deployment, findings))
    return 1 if findings else 0
