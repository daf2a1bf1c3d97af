"""A plain Faust agent: a table write for each event, its RocksDB store, its own delivery (at least once)."""

from __future__ import annotations

import sys
from typing import Any, cast

import faust

from streamer.bench.peers.job import Arrived, Job, is_state, options_from


def main() -> None:
    """Run until SIGTERM."""
    options = options_from(sys.argv)
    job = Job(options)
    app = faust.App(
        options.group,
        broker=f"kafka://{options.bootstrap}",
        store="rocksdb://",
        datadir=options.directory,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=options.partitions,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    raw: Any = bytes
    users = app.Table(
        "users",
        key_type=raw,
        value_type=raw,
        partitions=options.partitions,
        options={"driver": "rocksdict"},
    )
    events, scores = (
        app.topic(name, key_type=raw, value_type=raw) for name in (options.events_topic, options.scores_topic)
    )

    async def score(stream: faust.StreamT[Any]) -> None:
        async for event in cast(faust.Stream[Any], stream).events():
            key, value, message = event.key, event.value, event.message
            if is_state(value):
                users[key] = value
                continue
            arrived = Arrived(value, message.partition, message.offset, int(message.timestamp * 1000))
            users[key], score = job.score(users[key], arrived)
            await scores.send(key=key, value=score)

    app.agent(events, name="score")(score)
    worker = faust.Worker(app, loglevel="info", redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
