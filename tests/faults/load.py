"""The load: shoppers' records sent at a steady rate from a thread, whatever the broker goes through."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, Message, Producer

from tests.faults.shoppers import Sent

BURST_S = 0.02
FLUSH_DEADLINE_S = 60.0


class Load:
    """Sends records to ``topic``."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._refused: list[KafkaError] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        # A broker that is away for a while must not cost a record, nor two records their order.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 600_000,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "log_level": 0,
            }
        )

    def send_all(self, records: Iterable[Sent]) -> None:
        """Send ``records`` as fast as the broker takes them; raises as :meth:`stop`."""
        for record in records:
            self._send(record)
            self._producer.poll(0)
        self._flush()

    def start(self, records: Iterator[Sent], per_s: float) -> None:
        """Begin to send ``per_s`` of ``records`` a second."""
        self._thread = threading.Thread(target=self._run, args=(records, per_s), name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until all is acknowledged.

        Raises ``TimeoutError`` if the broker does not acknowledge all, ``RuntimeError`` if it refuses one.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._flush()

    def _flush(self) -> None:
        if left := self._producer.flush(FLUSH_DEADLINE_S):
            raise TimeoutError(f"{left} records of the load were not acknowledged in time")
        if self._refused:
            raise RuntimeError(f"the broker refused the load: {self._refused[0]}")

    def _run(self, records: Iterator[Sent], per_s: float) -> None:
        begun, sent = time.monotonic(), 0
        while not self._stopping.wait(BURST_S):
            due = int((time.monotonic() - begun) * per_s)
            while sent < due:
                self._send(next(records))
                sent += 1
            self._producer.poll(0)

    def _send(self, record: Sent) -> None:
        self._producer.produce(
            self._topic,
            record.value,
            record.key,
            timestamp=record.timestamp_ms,
            headers=list(record.headers),
            on_delivery=self._delivered,
        )

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)
