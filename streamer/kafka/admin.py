"""A connection on which the broker answers questions about topics and groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError

CONNECT_DEADLINE_S = 10.0


@asynccontextmanager
async def connected_admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client for the length of a block.

    Raises :class:`BrokerError` within about ten seconds when no broker answers at ``bootstrap``, and when it
    fails later.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=int(CONNECT_DEADLINE_S * 1000)
    )
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await admin.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await admin.close()
        raise BrokerError(
            f"no Kafka broker answers at {bootstrap}: start one (`streamer broker`), or set "
            "STREAMER_BOOTSTRAP to where it is"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(f"the Kafka broker at {bootstrap} failed: {error}") from error
    finally:
        await admin.close()
