"""``streamer worker``: consume events, keep state, score, alert."""

from __future__ import annotations

import click

from streamer.cli.settings_option import settings_option
from streamer.logs.setup import configure_logging
from streamer.settings.settings import Settings


@click.command(name="worker")
@settings_option
def command(settings: Settings) -> int:
    """Run a worker until SIGTERM or Ctrl-C.

    It ends with 0 when it was told to stop and with 1 after a failure: let a supervisor start it again,
    nothing is lost or repeated.
    """
    configure_logging(settings.log_format, settings.log_level, show_user_ids=settings.log_user_ids)
    from streamer.worker.run import run_worker

    return run_worker(settings)
