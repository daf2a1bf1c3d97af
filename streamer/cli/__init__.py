"""The console script ``streamer``: the commands, and the exit codes that they share.

0 done, 1 the job failed, 2 wrong use, 130 interrupted. An error that the project raises on purpose is
one line on standard error; anything else is a defect and keeps its traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import click

from schemas.errors import ChurnStreamerError
from streamer.cli.lazy_group import LazyCommand, LazyGroup

INTERRUPTED = 130

COMMANDS = {
    "demo": LazyCommand("streamer.cli.demo:command", "Real alerts from a year of real shopping."),
    "broker": LazyCommand(
        "streamer.cli.operations.broker:command", "Run Apache Kafka on this machine, from packages."
    ),
    "topics": LazyCommand("streamer.cli.operations.topics:command", "Show, check or create the topics."),
    "worker": LazyCommand(
        "streamer.cli.operations.worker:command", "Consume events, keep state, score, alert."
    ),
    "status": LazyCommand(
        "streamer.cli.operations.status:command", "Is it well? Lag, totals, what needs attention."
    ),
    "dlq": LazyCommand("streamer.cli.operations.dlq:command", "Dead letters by cause; send them again."),
    "model": LazyCommand(
        "streamer.cli.operations.model:command", "Exchange the model under load, or roll it back."
    ),
    "erase": LazyCommand("streamer.cli.operations.erase:command", "Forget a user."),
    "replay": LazyCommand("streamer.cli.data.replay:command", "Publish files of events."),
    "export": LazyCommand("streamer.cli.data.export:command", "Write a topic into a file."),
    "dataset": LazyCommand("streamer.cli.data.dataset:command", "Turn a known source into a file of events."),
    "inspect": LazyCommand("streamer.cli.data.inspect:command", "Are files of events fit to train on?"),
    "train": LazyCommand("streamer.cli.analysis.train:command", "Make a model bundle from files of events."),
    "evaluate": LazyCommand("streamer.cli.analysis.evaluate:command", "Judge a bundle, beside baselines."),
    "score": LazyCommand(
        "streamer.cli.analysis.score:command", "Score the users of files of events, offline."
    ),
    "backtest": LazyCommand(
        "streamer.cli.analysis.backtest:command", "Judge the alerts of a model and a policy."
    ),
    "bench": LazyCommand("streamer.cli.bench:command", "Speed, beside other ways of doing the job."),
    "uplift": LazyCommand("streamer.cli.analysis.uplift:command", "What alerts achieve, beside a holdout."),
}


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="churn-streamer", prog_name="streamer")
def cli() -> None:
    """Streaming churn warnings: Kafka in, exactly-once alerts out."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. ``arguments`` default to the process's own."""
    # A library's log lines are shown by commands that configure logging; others report in words.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        # Outside standalone mode click returns the code of ``ctx.exit`` and what a command returns.
        code: object = cli.main(arguments, prog_name="streamer", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ChurnStreamerError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone; keep the interpreter from flushing into it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
