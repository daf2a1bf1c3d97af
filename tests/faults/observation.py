"""What a campaign leaves on the broker, partition by partition, for the checker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from schemas.topics import ALERTS, EVENTS, SCORES
from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, committed_offsets
from streamer.kafka.connection import connection_of
from streamer.kafka.topics import changelog_topic
from tests.faults.checker import Observed
from tests.faults.inject.field import Field
from tests.faults.reading import Rows, newest_by_key, read_topic
from tests.faults.reference import KEPT


def observe(field: Field, events: Rows) -> dict[int, Observed]:
    """Everything that a read_committed reader finds, and what the group has committed."""
    bootstrap, shop = field.broker.bootstrap, field.shop
    kept = {topic: _whole(field, topic) for topic in KEPT}
    scores = newest_by_key(read_topic(bootstrap, shop.topic(SCORES)))
    tables = newest_by_key(read_topic(bootstrap, changelog_topic(shop.settings.group_id)))
    committed = asyncio.run(_committed(field))
    return {
        partition: Observed(
            {topic: rows.get(partition, []) for topic, rows in kept.items()},
            scores.get(partition, {}),
            tables.get(partition, {}),
            *committed.get(partition, Committed(0, "")),
            end=rows[-1].offset + 1 if rows else 0,
        )
        for partition, rows in events.items()
    }


def undone(field: Field, observed: Mapping[int, Observed]) -> int:
    """How many alert records belong to transactions that were never committed."""
    written = read_topic(field.broker.bootstrap, field.shop.topic(ALERTS), "read_uncommitted")
    before = sum(map(len, field.earlier.get(ALERTS, {}).values()))
    seen = sum(len(partition.kept[ALERTS]) for partition in observed.values()) - before
    return sum(map(len, written.values())) - seen


def _whole(field: Field, topic: str) -> Rows:
    """A topic's records, with those that it held before it was deleted."""
    rows = read_topic(field.broker.bootstrap, field.shop.topic(topic))
    earlier = field.earlier.get(topic, {})
    return {partition: [*earlier.get(partition, []), *found] for partition, found in rows.items()}


async def _committed(field: Field) -> dict[int, Committed]:
    # librdkafka gives the string beside an offset without its end, so that it cannot be read.
    async with connected_admin(connection_of(field.shop.settings)) as admin:
        found = await committed_offsets(admin, field.shop.settings.group_id)
    topic = field.shop.topic(EVENTS)
    return {tp.partition: committed for tp, committed in found.items() if tp.topic == topic}
