"""A connection on which the broker answers questions about topics and groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError
from streamer.kafka.connection import Connection
from streamer.kafka.unreachable import why_failed, why_unreachable

CONNECT_DEADLINE_S = 10.0


@asynccontextmanager
async def connected_admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client for the length of a block.

    Raises :class:`BrokerError` within about fifteen seconds when no broker answers or those that do refuse
    us, and when one fails later.
    """
    admin = AIOKafkaAdminClient(
        **connection.client_options, request_timeout_ms=int(CONNECT_DEADLINE_S * 1000)
    )
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await admin.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await admin.close()
        raise BrokerError(await why_unreachable(connection)) from error
    try:
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(await why_failed(connection, error)) from error
    finally:
        await admin.close()
