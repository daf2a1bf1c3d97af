"""Quix Streams: a stateful function for each event, by its defaults (RocksDB, changelog, at least once)."""

from __future__ import annotations

import sys
from typing import Any

from streamer.bench.peers.job import Arrived, Job, is_state, options_from


def main() -> None:
    """Run until SIGTERM."""
    from quixstreams import Application, State, message_context

    options = options_from(sys.argv)
    job = Job(options)
    app = Application(
        broker_address=options.bootstrap,
        consumer_group=options.group,
        auto_offset_reset="earliest",
        state_dir=options.directory,
    )
    events = app.topic(options.events_topic, key_deserializer="bytes", value_deserializer="bytes")
    scores = app.topic(options.scores_topic, key_serializer="bytes", value_serializer="bytes")

    def score(value: bytes, _key: Any, timestamp_ms: int, _headers: Any, state: State) -> bytes | None:
        if is_state(value):
            state.set_bytes("user", value)
            return None
        context = message_context()
        stored = state.get_bytes("user")
        assert stored is not None
        kept, score = job.score(stored, Arrived(value, context.partition, context.offset, timestamp_ms))
        state.set_bytes("user", kept)
        return score

    scored = app.dataframe(events).apply(score, stateful=True, metadata=True)
    scored.filter(lambda score: score is not None).to_topic(scores)
    app.run()


if __name__ == "__main__":
    main()
