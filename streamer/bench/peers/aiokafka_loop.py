"""An aiokafka loop: micro-batches as they are fetched, states in memory, a transaction for each batch."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streamer.bench.peers.full_graph import PeerState, decode_peer_state
from streamer.bench.peers.job import Arrived, Job, PeerOptions, is_state, options_from

BATCH: Final = 1_024


class Loop:
    """Consumes, scores and produces. ``states``: by key, each change also in the changelog topic."""

    def __init__(self, options: PeerOptions, job: Job) -> None:
        self._options = options
        self._job = job
        self._states: dict[bytes, PeerState] = {}

    async def run(self) -> None:
        """Until cancelled."""
        options = self._options
        consumer = AIOKafkaConsumer(
            options.events_topic,
            bootstrap_servers=options.bootstrap,
            group_id=options.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=options.bootstrap, transactional_id=options.group, compression_type="zstd"
        )
        async with consumer, producer:
            while True:
                fetched = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
                if not fetched:
                    continue
                async with producer.transaction():
                    for tp, records in fetched.items():
                        for topic, key, value in self._apply(records):
                            await producer.send(topic, value, key, partition=tp.partition)
                    offsets: Mapping[TopicPartition, int] = {
                        tp: records[-1].offset + 1 for tp, records in fetched.items()
                    }
                    await producer.send_offsets_to_transaction(offsets, options.group)

    def _apply(self, records: Sequence[Any]) -> list[tuple[str, bytes, bytes]]:
        """Scores of every event in order of its turn, and each user's state after the batch."""
        messages: list[tuple[str, bytes, bytes]] = []
        turns: list[dict[bytes, Any]] = []
        counts: dict[bytes, int] = {}
        for record in records:
            if is_state(record.value):
                self._states[record.key] = decode_peer_state(record.value)
                counts.setdefault(record.key, 0)
                continue
            turn = counts.get(record.key, 0)
            counts[record.key] = turn + 1
            if turn == len(turns):
                turns.append({})
            turns[turn][record.key] = record
        for turn in turns:
            arrived = [Arrived(r.value, r.partition, r.offset, r.timestamp) for r in turn.values()]
            events = [self._job.event(each) for each in arrived]
            scores = self._job.score_many([self._states[key] for key in turn], events, arrived)
            messages += [(self._options.scores_topic, *each) for each in zip(turn, scores, strict=True)]
        messages += [(self._options.changelog_topic, key, self._states[key].encode()) for key in counts]
        return messages


async def _until_terminated(options: PeerOptions) -> None:
    running = asyncio.ensure_future(Loop(options, Job(options)).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    asyncio.run(_until_terminated(options_from(sys.argv)))
