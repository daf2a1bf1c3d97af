"""Apache Kafka on this machine, from packages: no container engine and no installed Java.

The Java runtime comes from PyPI, Kafka's jars from Maven Central, both locked. The broker listens on
loopback only and ends with the process that started it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from streamer.processes.broker.jars import Progress
from streamer.processes.broker.process import LocalBroker

__all__ = ["LocalBroker", "Progress", "local_broker"]


@contextmanager
def local_broker(
    data_dir: Path | None = None, port: int = 0, progress: Progress | None = None
) -> Iterator[LocalBroker]:
    """A running broker for the length of a ``with`` block.

    Without ``data_dir`` its data live in a temporary directory and go with it; with one they stay, and
    a later broker on the same directory continues. ``port`` 0 takes a free port; ``progress`` hears of
    jars downloaded (present, needed). Raises what :meth:`LocalBroker.start` raises.
    """
    with ExitStack() as stack:
        if data_dir is None:
            temporary = tempfile.TemporaryDirectory(prefix="churn-streamer-broker-")
            data_dir = Path(stack.enter_context(temporary))
        broker = LocalBroker(data_dir, port, progress)
        stack.callback(broker.stop)
        broker.start()
        yield broker
