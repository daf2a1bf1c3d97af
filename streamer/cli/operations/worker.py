"""``streamer worker``: consume events, keep state, score, alert."""

from __future__ import annotations

import os
from typing import Any, Literal

import click
import structlog

from schemas.errors import ChurnStreamerError
from streamer.cli.settings_option import settings_option
from streamer.logs.setup import configure_logging
from streamer.settings.settings import Settings
from streamer.settings.sources import ENVIRONMENT_PREFIX
from streamer.worker.stop_signals import end_on_signals

log = structlog.get_logger(__name__)


class LoggedCommand(click.Command):
    """Tells in the log why it cannot start: whoever collects that reads nothing else."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """As click does; settings are read here."""
        try:
            return super().make_context(*arguments, **extra)
        except ChurnStreamerError as error:
            configure_logging(_log_format_before_settings(), "info")
            raise _told(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """As click does."""
        try:
            return super().invoke(ctx)
        except ChurnStreamerError as error:
            raise _told(error) from error


@click.command(name="worker", cls=LoggedCommand)
@settings_option
def command(settings: Settings) -> int:
    """Run a worker until SIGTERM, SIGHUP or Ctrl-C.

    It ends with 0 when it was told to stop and with 1 after a failure: let a supervisor start it again,
    nothing is lost or repeated.
    """
    end_on_signals()
    configure_logging(settings.log_format, settings.log_level, show_user_ids=settings.log_user_ids)
    from streamer.worker.run import run_worker

    return run_worker(settings)


def _told(error: ChurnStreamerError) -> click.exceptions.Exit:
    log.error("worker cannot start", reason=str(error), exit_code=error.exit_code)
    return click.exceptions.Exit(error.exit_code)


def _log_format_before_settings() -> Literal["json", "console"]:
    """What the environment says, since the settings together are refused."""
    given = os.environ.get(f"{ENVIRONMENT_PREFIX}LOG_FORMAT", Settings().log_format)
    return "console" if given == "console" else "json"
