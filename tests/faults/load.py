"""The load: shoppers' records sent at a steady rate from a thread, whatever the broker goes through."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, Message, Producer

from tests.faults.shoppers import Sent

BURST_S = 0.02
FLUSH_DEADLINE_S = 60.0


class Load:
    """Sends ``records`` to ``topic`` at ``per_s`` records a second until it is stopped."""

    def __init__(self, bootstrap: str, topic: str, records: Iterator[Sent], per_s: float) -> None:
        self.acknowledged = 0
        self._topic = topic
        self._records = records
        self._per_s = per_s
        self._refused: list[KafkaError] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
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

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> int:
        """Stop, wait until all is acknowledged; returns how many records the topic holds.

        Raises ``TimeoutError`` if the broker does not acknowledge them, ``RuntimeError`` if it refuses one.
        """
        self._stopping.set()
        self._thread.join()
        if left := self._producer.flush(FLUSH_DEADLINE_S):
            raise TimeoutError(f"{left} records of the load were not acknowledged in time")
        if self._refused:
            raise RuntimeError(f"the broker refused the load: {self._refused[0]}")
        return self.acknowledged

    def _run(self) -> None:
        begun, sent = time.monotonic(), 0
        while not self._stopping.wait(BURST_S):
            due = int((time.monotonic() - begun) * self._per_s)
            while sent < due:
                self._send(next(self._records))
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
        if error is None:
            self.acknowledged += 1
        else:
            self._refused.append(error)
