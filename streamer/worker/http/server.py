"""The HTTP server of a worker, in the event loop that also processes events."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from schemas.errors import ConfigurationError
from streamer.worker.http.bounded import BoundedConnections


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host`` and ``port``; 0 takes a free one.

    Raises :class:`ConfigurationError` where that cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} on {host} cannot be taken ({error.strerror}): end the program that holds it, or "
            "set STREAMER_HTTP_PORT or STREAMER_HTTP_HOST to another one"
        ) from error


class HttpServer:
    """Serves ``application`` on a socket that listens already, to clients that do not take long."""

    def __init__(self, listening: socket.socket, application: web.Application) -> None:
        self._socket = listening
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, handle_signals=False)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer from now on."""
        await self._runner.setup()
        answering = self._runner.server
        assert answering is not None
        self._server = await asyncio.get_running_loop().create_server(
            BoundedConnections(answering), sock=self._socket
        )

    async def stop(self) -> None:
        """End, and close the socket."""
        if self._server is None:
            self._socket.close()
        else:
            self._server.close()
        await self._runner.cleanup()
