"""A broker that starts says so to other commands on this machine, by a lock that ends with its process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from streamer.processes.broker.configuration import HOST
from streamer.processes.broker.jars import jar_cache
from streamer.processes.broker.probe import broker_answers
from streamer.processes.file_lock import take_lock

# A command that is called right after the broker's may get to its question first.
GRACE_S: Final = 3.0
# With the jars still to be fetched, over a slow line.
LONGEST_START_S: Final = 600.0
POLL_S: Final = 0.1


@contextmanager
def announced_start(port: int) -> Iterator[None]:
    """Let others know for the length of a block that a broker starts at ``port``."""
    file = _file_of(port)
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if take_lock(stack.enter_context(file.open("wb"))):
                stack.callback(file.unlink, missing_ok=True)
        except OSError:
            # Whoever asks meanwhile is told that nothing answers, which is true as well.
            pass
        yield


def is_starting(port: int) -> bool:
    """Whether another process starts a broker at ``port``."""
    try:
        with _file_of(port).open("r+b") as file:
            return not take_lock(file)
    except OSError:
        return False


def wait_for_start(ports: Sequence[int], say: Callable[[str], None]) -> None:
    """Wait until a local broker at one of ``ports`` answers, as long as one starts there.

    Returns as well where none does, a few seconds later, and where a start takes longer than ten minutes.
    ``say`` hears once what is waited for.
    """
    began, announced = time.monotonic(), False
    while not any(broker_answers(HOST, port) for port in ports):
        starting = [port for port in ports if is_starting(port)]
        if time.monotonic() - began > (LONGEST_START_S if starting else GRACE_S):
            return
        if starting and not announced:
            announced = True
            say(f"a broker starts at {HOST}:{starting[0]}: waiting until it answers")
        time.sleep(POLL_S)


def _file_of(port: int) -> Path:
    return jar_cache().parent / f"starting-{port}.lock"
