"""The demonstration on a terminal: a live picture, or plain lines where there is no terminal."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final, Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.timestamps import format_timestamp
from streamer.demo.audience.frame import AlertLine, Frame
from streamer.demo.wording.alerts import Tone

NEWEST = 6
LINE_EVERY_S = 5.0
STYLES: Final[dict[Tone, str]] = {
    "watch": "yellow",
    "high": "dark_orange",
    "critical": "red",
    "returned": "green",
    "gone": "bold",
    "over": "dim",
}


class Display(Protocol):
    """Something that frames are shown on."""

    def show(self, frame: Frame) -> None:
        """Show a frame."""
        ...


class TerminalDisplay:
    """A picture that is drawn over itself; ``stop`` leaves the last one standing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._newest: deque[AlertLine] = deque(maxlen=NEWEST)
        self._live = Live(console=Console(), auto_refresh=False, transient=False)

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def stop(self) -> None:
        """Leave the terminal as it is."""
        self._live.stop()

    def show(self, frame: Frame) -> None:
        """Draw a frame."""
        self._newest.extend(frame.alerts)
        self._live.update(self.picture(frame), refresh=True)

    def picture(self, frame: Frame) -> RenderableType:
        """The frame as something to print."""
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        date = "" if frame.clock_ms is None else f"{_day(frame.clock_ms)} in the shop's time"
        head.add_row(Text(frame.doing, style="bold"), Text(date))
        progress = Table.grid(expand=True, padding=(0, 2, 0, 0))
        progress.add_column(ratio=1)
        progress.add_column(justify="right")
        bar = ProgressBar(total=max(frame.total, 1), completed=frame.committed)
        progress.add_row(bar, Text(_progress(frame)))
        counts = Text.assemble(
            f"{frame.users:,} households · {sum(frame.open.values()):,} alerts open: ",
            (f"{frame.open['critical']:,} critical", STYLES["critical"]),
            " ",
            (f"{frame.open['high']:,} high", STYLES["high"]),
            " ",
            (f"{frame.open['watch']:,} watch", STYLES["watch"]),
            f"\n{frame.raised:,} raised · {frame.escalated:,} escalated · {frame.resolved:,} resolved",
        )
        return Group(head, progress, counts, Text(), self._alerts(), Text(), Text(self._url, style="dim"))

    def _alerts(self) -> Table:
        lines = Table.grid(padding=(0, 2, 0, 0))
        for line in self._newest:
            lines.add_row(Text(_day(line.at_ms), style="dim"), Text(line.words, style=STYLES[line.tone]))
        return lines


class PlainDisplay:
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._doing = ""
        self._next = 0.0

    def show(self, frame: Frame) -> None:
        """Print a line if it is time for one, or if something new is being done."""
        if frame.doing == self._doing and (monotonic() < self._next or frame.phase != "replaying"):
            return
        if frame.doing != self._doing:
            click.echo(frame.doing)
        if frame.committed:
            click.echo(
                f"{_progress(frame)}, {sum(frame.open.values()):,} alerts open, "
                f"{frame.raised:,} raised, {frame.resolved:,} resolved"
            )
        for line in frame.alerts[-1:]:
            click.echo(f"  {_day(line.at_ms)} {line.words}")
        self._doing, self._next = frame.doing, monotonic() + LINE_EVERY_S


def _progress(frame: Frame) -> str:
    baskets = f"{frame.committed:,} of {frame.total:,} baskets"
    # The summary tells the speed of the whole.
    return baskets if frame.phase == "done" else f"{baskets}, {frame.events_per_s:,.0f} a second"


def _day(epoch_ms: int) -> str:
    return format_timestamp(epoch_ms)[:10]
