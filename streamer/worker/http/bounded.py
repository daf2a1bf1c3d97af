"""Connections that end: so many at once, each for so long, whatever its client does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

MOST_CONNECTIONS: Final = 64
# Longer than a probe waits for an answer, which comes between two batches.
CONNECTION_DEADLINE_S: Final = 10.0


class BoundedConnections:
    """Makes a protocol for each connection that a listening socket accepts, as ``loop.create_server`` asks.

    A connection is cut off ``deadline_s`` after it was made, also in the middle of a request or of an answer.
    One more than ``most`` ends the oldest, so clients that only hold on keep nobody else out.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        most: int = MOST_CONNECTIONS,
        deadline_s: float = CONNECTION_DEADLINE_S,
    ) -> None:
        self._protocol = protocol
        self._most = most
        self._deadline_s = deadline_s
        self._open: dict[_Connection, asyncio.Transport] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Connection(self, self._protocol())

    def opened(self, connection: _Connection, transport: asyncio.Transport) -> asyncio.TimerHandle:
        """Make room for ``connection``; returns what ends it in time."""
        while len(self._open) >= self._most:
            self._open.pop(next(iter(self._open))).abort()
        self._open[connection] = transport
        return asyncio.get_running_loop().call_later(self._deadline_s, transport.abort)

    def closed(self, connection: _Connection) -> None:
        """It is gone."""
        self._open.pop(connection, None)


class _Connection(asyncio.Protocol):
    """Passes all that happens on to the protocol that answers."""

    def __init__(self, connections: BoundedConnections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end = self._connections.opened(self, cast(asyncio.Transport, transport))
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        if self._end is not None:
            self._end.cancel()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
