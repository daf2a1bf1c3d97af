"""Live mode: a user who falls silent is noticed without any further event."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from schemas.event import Event
from schemas.topics import ALERTS, EVENTS
from schemas.units import DAY_MS
from schemas.wire.encoding import encode_event
from tests.integration.conftest import Broker
from tests.integration.shop import Shop, wait_for


def test_wall_time_alone_raises_an_alert(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, mode="live", disorder_s="0", tick_s="0.2")
    assert shop.run("topics", "--apply").returncode == 0
    now = time.time_ns() // 1_000_000
    visits = [now - day * DAY_MS for day in (40, 37, 34, 31, 28, 25, 24)]
    events = [Event(f"e{n}", "quiet", "purchase", moment, value=20.0) for n, moment in enumerate(visits)]
    with shop.worker() as process:
        asyncio.run(shop.publish([(e.user_id, encode_event(e), now) for e in events]))
        asyncio.run(
            shop.wait_until_committed(sum(asyncio.run(shop.ends(shop.topic(EVENTS))).values()), process)
        )

        async def alerted() -> bool:
            return bool(await shop.read(shop.topic(ALERTS)))

        asyncio.run(wait_for(alerted, "an alert that no event caused"))
    record = asyncio.run(shop.read(shop.topic(ALERTS)))[0]
    alert = json.loads(record.value or b"")
    assert alert["type"] == "churn.alert.raised.v1"
    assert alert["data"]["reason"] == "silence"
    assert alert["data"]["silent_for_s"] < 24 * 86_400 + 600
