"""``streamer status``: is it well?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click
import msgspec

from streamer.cli.progress_line import ProgressLine
from streamer.cli.settings_option import settings_option
from streamer.settings.settings import Settings

if TYPE_CHECKING:
    from streamer.operations.deployment import Deployment


@click.command(name="status")
@click.option("--wait", is_flag=True, help="Say so once the workers have read everything.")
@click.option(
    "--deadline",
    "deadline_s",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=3600,
    show_default=True,
    help="How long --wait waits.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
@settings_option
def command(wait: bool, deadline_s: float, as_json: bool, settings: Settings) -> int:
    """Show how the workers of a deployment are: lag, what was read and decided, what needs attention.

    Asks the broker alone, from any machine with the deployment's settings. Exit code 0 when all is well,
    1 when something needs attention, also when --wait has waited in vain.
    """
    from streamer.operations.deployment import observe
    from streamer.operations.status.attention import attention, duration
    from streamer.operations.status.waiting import left_in, until_read
    from streamer.operations.status.wording import in_words

    def look() -> Coroutine[Any, Any, Deployment]:
        return observe(settings, time.time_ns() // 1_000_000)

    if wait:
        with ProgressLine("records") as line:
            deployment = asyncio.run(
                until_read(look, deadline_s, lambda seen: line.say(f"{left_in(seen):,} records left to read"))
            )
    else:
        deployment = asyncio.run(look())
    findings = attention(deployment)
    if wait and (left := left_in(deployment)):
        waited = duration(int(deadline_s * 1_000))
        findings.insert(0, f"{left:,} records are still to be read; the wait ended after {waited} at most.")
    if as_json:
        view = {**msgspec.to_builtins(deployment), "attention": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(view)).decode())
    else:
        click.echo(in_words(deployment, findings))
    return 1 if findings else 0
