"""Topics changed under the workers' hands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.faults.inject.field import Field
from tests.faults.reading import read_topic

ANSWER_WITHIN_S = 15.0
COMPACTED_WITHIN_S = 90.0
# The local broker's id.
BROKER = "1"
# A segment is closed after so long, and may be cleaned as soon as it is.
COMPACT_AT_ONCE = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
CLEANER = {"log.cleaner.backoff.ms": "500"}


def configure(bootstrap: str, topic: str | None, settings: Mapping[str, str | None]) -> None:
    """Configure a topic, or with ``None`` the broker; a value of ``None`` restores its default."""
    entries = [
        ConfigEntry(
            name,
            value or "",
            incremental_operation=AlterConfigOpType.SET if value else AlterConfigOpType.DELETE,
        )
        for name, value in settings.items()
    ]
    kind = ResourceType.BROKER if topic is None else ResourceType.TOPIC
    resource = ConfigResource(kind, topic or BROKER, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    futures: Any = admin.incremental_alter_configs([resource])
    futures[resource].result(ANSWER_WITHIN_S)


async def compact(field: Field, topic: str, hold_s: float) -> tuple[int, int]:
    """Make the broker compact ``topic`` while records come, for ``hold_s`` more once it has begun.

    Returns: how many records it held before, and afterwards up to the same end.
    """
    bootstrap = field.broker.bootstrap
    ends = {
        p: rows[-1].offset
        for p, rows in (await asyncio.to_thread(read_topic, bootstrap, topic)).items()
        if rows
    }

    def held() -> int:
        rows = read_topic(bootstrap, topic)
        return sum(row.offset <= ends.get(partition, -1) for partition in rows for row in rows[partition])

    before = after = await asyncio.to_thread(held)
    await asyncio.to_thread(configure, bootstrap, None, CLEANER)
    await asyncio.to_thread(configure, bootstrap, topic, COMPACT_AT_ONCE)
    deadline = monotonic() + COMPACTED_WITHIN_S
    while after > before / 2 and monotonic() < deadline:
        await asyncio.sleep(1)
        after = await asyncio.to_thread(held)
    await asyncio.sleep(hold_s)
    await asyncio.to_thread(configure, bootstrap, topic, dict.fromkeys(COMPACT_AT_ONCE))
    return before, after
