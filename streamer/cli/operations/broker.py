"""``streamer broker``: Apache Kafka in the foreground, for trying things out and for the demo."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

from schemas.errors import BrokerError
from streamer.processes.broker import local_broker

DEFAULT_PORT = 9092
_JARS_A_LINE = 10


@click.command(name="broker")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: a free one."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep data and logs here and continue from them the next time.  [default: a temporary directory]",
)
def command(port: int, data_dir: Path | None) -> None:
    """Run Apache Kafka on this machine, from packages.

    No container engine and no installed Java: the runtime comes from PyPI, Kafka from Maven Central
    (43 MB, the first time only). It listens on 127.0.0.1 only, prints its address once it answers, and
    ends with Ctrl-C or SIGTERM.
    """
    signal.signal(signal.SIGTERM, _end)
    with local_broker(data_dir, port, _show_download if sys.stderr.isatty() else _log_download) as broker:
        click.echo(f"Kafka answers at {broker.bootstrap} (log: {broker.log_file})")
        status = broker.wait()
        raise BrokerError(f"Kafka ended with status {status}: see {broker.log_file}")


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _show_download(present: int, needed: int) -> None:
    click.echo(f"\rfetching Kafka: {present} of {needed} jars", err=True, nl=present == needed)


def _log_download(present: int, needed: int) -> None:
    """As lines of a log, which somebody may read while they come: few, and from the beginning."""
    if present % _JARS_A_LINE == 0 or present == needed:
        click.echo(f"fetching Kafka: {present} of {needed} jars", err=True)
