"""A backlog given to one contestant, and what it took to score it."""

from __future__ import annotations

import asyncio
from time import monotonic

from streamer.bench.contest.contestant import POLL_S, Contestant, Progress
from streamer.bench.contest.measured import Meter
from streamer.bench.contest.observer import Observer
from streamer.bench.contest.sample import Sample
from streamer.kafka.connection import connection_of
from streamer.kafka.publishing import replay


async def score_backlog(contestant: Contestant, observer: Observer, meter: Meter) -> Sample:
    """Publish a round's events as fast as it goes, and follow until the last one is done.

    Processor time counts from before the first is there, so that none is done for nothing; wall time from the
    first effect to the last.
    """
    records = contestant.till.records(contestant.order.next(contestant.events))
    already = await contestant.done(observer)
    target, first = already + len(records), already
    progress = Progress(contestant.name, target, "events done")
    before = meter.read()
    first_at = before.at
    connection = connection_of(contestant.settings)
    publishing = asyncio.create_task(replay(connection, contestant.events_topic, records))
    try:
        while not progress.is_over(done := await contestant.done(observer)):
            if first == already < done:
                first, first_at = done, monotonic()
            await asyncio.sleep(POLL_S)
        after = meter.read()
        await publishing
    finally:
        publishing.cancel()
    contestant.published += len(records)
    return Sample(
        events=len(records),
        cpu_s=after.cpu_s - before.cpu_s,
        broker_cpu_s=after.broker_cpu_s - before.broker_cpu_s,
        counted=target - first,
        wall_s=after.at - first_at,
    )


async def warm_up(contestant: Contestant, observer: Observer, events: int) -> None:
    """Give ``events`` that nobody measures, those that a round would give next."""
    target = await contestant.done(observer) + events
    records = contestant.till.records(contestant.order.next(events))
    await replay(connection_of(contestant.settings), contestant.events_topic, records)
    await contestant.until_done(observer, target)
    contestant.published += events
