"""A CRM's side of churn alerts: keeps them in PostgreSQL, whatever comes twice or out of order.

Needs nothing of the churn streamer but its topic. Settings: KAFKA_BOOTSTRAP, ALERTS_TOPIC, CONSUMER_GROUP,
DATABASE_URL.
"""

import asyncio
import json
import logging
import os
from itertools import chain
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer

SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    alert_id text PRIMARY KEY, revision integer NOT NULL, user_id text NOT NULL, status text NOT NULL,
    band text NOT NULL, reason text NOT NULL, risk float8 NOT NULL, decided_at timestamptz NOT NULL);
CREATE OR REPLACE VIEW open_alerts AS SELECT * FROM alerts WHERE status = 'open';
"""

# A resolved alert keeps its row: an older revision that comes late must find a newer one there.
UPSERT = """
INSERT INTO alerts VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (alert_id) DO UPDATE SET
    revision = excluded.revision, status = excluded.status, band = excluded.band,
    reason = excluded.reason, risk = excluded.risk, decided_at = excluded.decided_at
WHERE alerts.revision < excluded.revision
"""

NO_ALERT = (ValueError, KeyError, TypeError, RecursionError, psycopg.DataError)


def row_of(message: bytes | None) -> tuple[Any, ...]:
    """The alert as a row of the table; raises one of ``NO_ALERT`` for what is none."""
    event = json.loads(message or b"")
    data = event["data"]
    keys = str(data["alert_id"]), int(data["revision"]), str(data["user_id"])
    standing = (str(data[name]) for name in ("status", "band", "reason"))
    return *keys, *standing, float(data["risk"]["probability"]), str(event["time"])


async def main() -> None:
    """Consume for ever. A batch is in the database before its offsets are committed: nothing is lost."""
    consumer = AIOKafkaConsumer(
        os.environ.get("ALERTS_TOPIC", "churn.alerts.v1"),
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092"),
        group_id=os.environ.get("CONSUMER_GROUP", "crm"),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer, await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"]) as database:
        await database.execute(SCHEMA)
        await database.commit()
        while True:
            batches = (await consumer.getmany(timeout_ms=1000, max_records=500)).values()
            async with database.transaction():
                for record in chain.from_iterable(batches):
                    try:
                        async with database.transaction():
                            await database.execute(UPSERT, row_of(record.value))
                    except NO_ALERT:
                        logging.warning("no alert, skipped: %r", record.value)
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
