"""What is served over HTTP changes nothing, and to this machine alone unless told otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from streamer.demo.page import page
from streamer.settings.settings import Settings
from streamer.worker.http.health import health_application
from streamer.worker.http.server import HttpServer, listen

ROOT = Path(__file__).parents[4]
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


class Well:
    def stuck(self) -> str | None:
        return None

    def not_ready(self) -> str | None:
        return None


def test_a_worker_serves_nothing_unless_told_and_then_to_this_machine() -> None:
    assert Settings().http_port is None
    assert Settings().http_host == "127.0.0.1"


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_a_worker_is_only_asked(path: str) -> None:
    async def asked(method: str) -> int:
        listening = listen(Settings().http_host, 0)
        server = HttpServer(listening, health_application(Well()))
        url = f"http://{Settings().http_host}:{listening.getsockname()[1]}{path}"
        await server.start()
        try:
            async with aiohttp.ClientSession() as http, http.request(method, url) as response:
                return response.status
        finally:
            await server.stop()

    assert asyncio.run(asked("GET")) == 200
    assert {asyncio.run(asked(method)) for method in CHANGING} == {web.HTTPMethodNotAllowed.status_code}


def test_the_demos_page_is_for_this_machine_and_only_asked() -> None:
    assert page.HOST == "127.0.0.1"
    source = Path(page.__file__).read_text()
    assert (
        source.count("router.add_")
        == source.count("router.add_get(") + source.count("router.add_static(")
        > 0
    )


def test_nothing_else_is_served() -> None:
    """Whoever adds a way in over HTTP comes by here: what changes state needs a token then."""
    serving = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "streamer").rglob("*.py")
        if "web.Application(" in path.read_text()
    }
    assert serving == {"streamer/demo/page/page.py", "streamer/worker/http/health.py"}
    assert "web_enabled=False" in (ROOT / "streamer" / "worker" / "runtime" / "application.py").read_text()
