"""A CRM's side of churn alerts: keeps them in PostgreSQL, whatever comes twice or out of order.

Needs nothing of the churn streamer but its topic. Settings: KAFKA_BOOTSTRAP, ALERTS_TOPIC, CONSUMER_GROUP,
DATABASE_URL.
"""

import asyncio
import json
import logging
import os
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


def row_of(message: bytes | None) -> tuple[Any, ...] | None:
    """The alert as a row of the table, or ``None`` for what is no alert."""
    try:
        event = json.loads(message or b"")
        a = event["data"]
        keys = str(a["alert_id"]), int(a["revision"]), str(a["user_id"])
        return *keys, a["status"], a["band"], a["reason"], float(a["risk"]["probability"]), event["time"]
    except (ValueError, KeyError, TypeError):
        logging.warning("no alert, skipped: %r", message)
        return None


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
            rows = [row for batch in batches for record in batch if (row := row_of(record.value))]
            async with database.transaction(), database.cursor() as cursor:
                await cursor.executemany(UPSERT, rows)
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
