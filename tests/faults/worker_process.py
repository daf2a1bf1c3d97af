"""``streamer worker`` with faults inside: started in its place, it is the worker and nothing else.

The faults that no signal and no broker can bring about come from the environment. The clock is that of
Python code alone: what libraries written in C ask of the kernel is the machine's.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import onnxruntime

from streamer.cli import run

CLOCK_SHIFT = "FAULT_CLOCK_SHIFT_S"
LOST_SESSION = "FAULT_LOST_SESSION_AFTER_S"
REDIRECT = "FAULT_REDIRECT"


def shift_clock(by_s: int) -> None:
    """Let wall time be ``by_s`` seconds ahead; the monotonic clock stays."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + by_s
    time.time_ns = lambda: right_ns() + by_s * 1_000_000_000


def lose_session(after_s: int) -> None:
    """Let every run of a model fail after so many seconds, as when the GPU under it is lost."""
    lost_at = time.monotonic() + after_s

    def failing(method: Any) -> Any:
        def run_or_fail(*arguments: Any, **options: Any) -> Any:
            if time.monotonic() > lost_at:
                raise RuntimeError("CUDA failure 46: all CUDA-capable devices are busy or unavailable")
            return method(*arguments, **options)

        return run_or_fail

    session: Any = onnxruntime.InferenceSession
    for name in ("run", "run_with_iobinding"):
        setattr(session, name, failing(getattr(session, name)))


def redirect(route: str) -> None:
    """Connect to another address than the broker's: ``host:port=host:port``."""
    told, instead = (part.rsplit(":", 1) for part in route.split("="))
    loop: Any = asyncio.BaseEventLoop
    connect = loop.create_connection

    async def create_connection(
        self: Any, factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if [host, str(port)] == told:
            host, port = instead[0], int(instead[1])
        return await connect(self, factory, host, port, **options)

    loop.create_connection = create_connection


if __name__ == "__main__":
    for variable, fault in ((CLOCK_SHIFT, shift_clock), (LOST_SESSION, lose_session)):
        if variable in os.environ:
            fault(int(os.environ[variable]))
    if REDIRECT in os.environ:
        redirect(os.environ[REDIRECT])
    sys.exit(run(["worker"]))
