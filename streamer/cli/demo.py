"""``streamer demo``: the main job on real input, from nothing."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="demo")
@click.option("--headless", is_flag=True, help="Neither a picture on the terminal nor the web page.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures of the run as JSON.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="The page's; 0: a free one."
)
def command(headless: bool, report_file: Path | None, port: int) -> int:
    """Replay a year of a real shop through Kafka and watch who is being lost.

    Starts Apache Kafka and a worker on this machine, replays Complete Journey (155,848 baskets of 2,469
    households, 2017) at full speed, shows alerts while they come on the terminal and on a local web page,
    and compares those of the last months with what the households did and spent. Ctrl-C ends everything.
    """
    from streamer.demo.session import run_session

    return run_session(headless=headless, report_file=report_file, port=port)
