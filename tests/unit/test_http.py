"""What is served over HTTP changes nothing, and to this machine alone unless told otherwise."""

from __future__ import annotations

import inspect
from pathlib import Path

from aiohttp import web

from streamer.demo import page
from streamer.settings import Settings
from streamer.web.health import health_application

ROOT = Path(__file__).parents[2]
READING = {"GET", "HEAD"}


class Well:
    def stuck(self) -> str | None:
        return None

    def not_ready(self) -> str | None:
        return None


def methods(application: web.Application) -> set[str]:
    return {route.method for route in application.router.routes()}


def test_a_worker_serves_nothing_unless_told_and_then_to_this_machine() -> None:
    assert Settings().http_port is None
    assert Settings().http_host == "127.0.0.1"
    assert methods(health_application(Well())) == READING


def test_the_demos_page_is_for_this_machine() -> None:
    assert page.HOST == "127.0.0.1"
    source = inspect.getsource(page)
    assert source.count("router.add_") == source.count("router.add_get(") + source.count("router.add_static(")


def test_nothing_else_is_served() -> None:
    """Whoever adds a way in over HTTP comes by here: what changes state needs a token then."""
    serving = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "streamer").rglob("*.py")
        if "web.Application(" in path.read_text()
    }
    assert serving == {"streamer/demo/page.py", "streamer/web/health.py"}
    assert "web_enabled=False" in (ROOT / "streamer" / "kafka" / "application.py").read_text()
