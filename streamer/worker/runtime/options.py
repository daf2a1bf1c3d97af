"""What a worker has to be told before it can run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.kafka.connection import Connection
from streamer.kafka.topics import changelog_topic


@dataclass(frozen=True)
class WorkerOptions:
    """Settings of one worker process.

    connection: how to reach the brokers.
    application_id: consumer group, prefix of the transactional ids and of the changelog topic.
    event_topic: the topic to consume.
    repartition_topic: the topic through which partitions forward records to each other, if they do; as many
        partitions as ``event_topic``. All workers of an application must agree on it.
    erasure_topic: requests to forget users, read before events; as many partitions as ``event_topic``.
    data_dir: where the table lives on this machine; never shared between two workers.
    changelog_id: the changelog's id: local stores of any other are not used. Empty where nobody knows it.
    instance_id: static group membership; a restart within the session then moves no partition.
    max_batch: the most records of one transaction.
    tick_s: after this many seconds without records a partition's stage is called with none.
    transaction_timeout_s: how long the broker lets a transaction be open, and with it a silent worker's hold
        back ``read_committed`` readers.
    standbys: how many other workers keep a copy of each partition's table. All workers of an application must
        agree on it.
    stuck_after_s: a worker that has something to do and commits nothing for so long is stuck.
    live: whether wall time may move the clock of a partition that has caught up.
    """

    connection: Connection
    application_id: str
    event_topic: str
    data_dir: Path
    changelog_id: str = ""
    instance_id: str | None = None
    max_batch: int = 4000
    tick_s: float = 1.0
    transaction_timeout_s: float = 15.0
    standbys: int = 0
    stuck_after_s: float = 120.0
    live: bool = True
    repartition_topic: str | None = None
    erasure_topic: str | None = None

    @property
    def source_topics(self) -> tuple[str, ...]:
        """The topics that are consumed; one worker owns the same partitions of all of them."""
        return (self.event_topic, *filter(None, (self.repartition_topic, self.erasure_topic)))

    @property
    def changelog_topic(self) -> str:
        """The compacted topic behind the table; as many partitions as ``event_topic``."""
        return changelog_topic(self.application_id)
