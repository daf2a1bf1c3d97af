"""Clients that are slow, that hold on or that are many keep no other one from an answer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web

from streamer.worker.http.bounded import MOST_CONNECTIONS, BoundedConnections
from streamer.worker.http.health import health_application
from streamer.worker.http.server import HttpServer, listen
from tests.unit.worker.http.test_server import Well

REQUEST = b"GET /live HTTP/1.1\r\nHost: worker\r\n\r\n"


async def ended(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""


@pytest.mark.parametrize(
    "sent",
    [b"", REQUEST[:8], REQUEST[:-2], REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nhalf")],
    ids=["nothing", "half a line", "half of the headers", "half of the body"],
)
def test_a_slow_client_is_cut_off(sent: bytes) -> None:
    async def read_all(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def body() -> None:
        application = web.Application()
        application.router.add_get("/live", read_all)
        runner = web.AppRunner(application, handle_signals=False)
        await runner.setup()
        assert runner.server is not None
        listening = listen("127.0.0.1", 0)
        connections = BoundedConnections(runner.server, deadline_s=0.05)
        server = await asyncio.get_running_loop().create_server(connections, sock=listening)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(sent)
        async with asyncio.timeout(30):
            await ended(reader)
        writer.close()
        server.close()
        await runner.cleanup()

    asyncio.run(body())


def test_an_answer_comes_while_others_hold_on() -> None:
    async def body() -> None:
        listening = listen("127.0.0.1", 0)
        server = HttpServer(listening, health_application(Well()))
        await server.start()
        held = [await asyncio.open_connection(*listening.getsockname()) for _ in range(MOST_CONNECTIONS + 10)]
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(REQUEST)
            # To its end: an answered connection is not kept.
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in answer
        async with asyncio.timeout(30):
            await ended(held[0][0])
        for _, each in [*held, (reader, writer)]:
            each.close()
        await server.stop()

    asyncio.run(body())
