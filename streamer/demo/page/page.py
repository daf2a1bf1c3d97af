"""The local web page: static files, a stream of frames as server-sent events, stories on request."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from schemas.bundle.bands import BandEdges
from schemas.errors import ConfigurationError
from streamer.demo.audience.audience import Audience
from streamer.demo.audience.frame import AlertLine, ChartPoint, Frame
from streamer.demo.closing import Closing
from streamer.demo.page.alert_search import newest_lines, search_alerts
from streamer.demo.page.story import tell

HOST: Final = "127.0.0.1"
STATIC: Final = Path(__file__).with_name("static")
# What the page may load: its own files and data, nothing from outside.
POLICY: Final = (
    "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# Frames that a slow browser may fall behind before it is cut off and connects anew.
QUEUED_FRAMES: Final = 256

_encoder = msgspec.json.Encoder()


class PageSetting(msgspec.Struct, frozen=True):
    """What a browser is told first: the axes, and everything that it has missed."""

    horizon_days: float
    active_days: float
    edges: BandEdges
    from_ms: int
    to_ms: int
    judged_ms: int | None
    chart: list[ChartPoint]
    alerts: list[AlertLine]


class Page:
    """Serves the page on loopback. ``url`` is known once it has started."""

    def __init__(self, audience: Audience, port: int = 0) -> None:
        self.url = ""
        self._audience = audience
        self._port = port
        self._browsers: set[asyncio.Queue[bytes | None]] = set()
        self._last_frame: Frame | None = None
        self._closing: Closing | None = None
        self._runner: web.AppRunner | None = None
        self._shown: tuple[int | None, int | None] = (None, None)

    async def start(self) -> None:
        """Listen; raises :class:`ConfigurationError` for a port that is taken."""
        app = web.Application(middlewares=[_own_host_only])
        app.router.add_get("/", self._index)
        app.router.add_get("/events", self._events)
        app.router.add_get("/api/alerts", self._alerts)
        app.router.add_get("/api/stories/{alert_id}", self._story)
        app.router.add_static("/static/", STATIC)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                f"port {self._port} on {HOST} cannot be taken ({error.strerror}): "
                "end the program that holds it or choose another with --port"
            ) from error
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Say goodbye to every browser and stop listening."""
        for browser in self._browsers:
            browser.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()

    def show(self, frame: Frame) -> None:
        """Send a frame to every browser."""
        self._last_frame = frame
        shown = (self._audience.households.first_ms, self._audience.judged_ms)
        if shown != self._shown and not self._audience.loading:
            self._shown = shown
            self._send(_event("setting", self._setting()))
        self._send(_event("frame", frame))

    def close(self, closing: Closing) -> None:
        """Send the closing summary."""
        self._closing = closing
        self._send(_event("closing", closing))

    def _send(self, event: bytes) -> None:
        for browser in list(self._browsers):
            if browser.qsize() >= QUEUED_FRAMES:
                self._browsers.discard(browser)
                browser.put_nowait(None)
            else:
                browser.put_nowait(event)

    def _setting(self) -> PageSetting:
        audience = self._audience
        manifest, households = audience.manifest, audience.households
        known = not audience.loading
        return PageSetting(
            horizon_days=manifest.horizon_days,
            active_days=manifest.churn_definition.active_days,
            edges=manifest.band_edges,
            from_ms=(households.first_ms or 0) if known else 0,
            to_ms=(households.last_ms or 0) if known else 0,
            judged_ms=audience.judged_ms,
            chart=audience.chart,
            alerts=newest_lines(audience),
        )

    async def _index(self, _request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        browser: asyncio.Queue[bytes | None] = asyncio.Queue()
        browser.put_nowait(_event("setting", self._setting()))
        if self._last_frame is not None:
            # Its point and its alerts came with the setting.
            frame = msgspec.structs.replace(self._last_frame, point=None, alerts=[])
            browser.put_nowait(_event("frame", frame))
        if self._closing is not None:
            browser.put_nowait(_event("closing", self._closing))
        self._browsers.add(browser)
        try:
            while (event := await browser.get()) is not None:
                await response.write(event)
        except ConnectionResetError:
            pass
        finally:
            self._browsers.discard(browser)
        return response

    async def _alerts(self, request: web.Request) -> web.Response:
        show, household = request.query.get("show", "newest"), request.query.get("household", "").strip()
        return _json(search_alerts(self._audience, show, household))

    async def _story(self, request: web.Request) -> web.Response:
        audience = self._audience
        alert_id, clock_ms = request.match_info["alert_id"], audience.clock_ms or 0
        story = tell(alert_id, audience.alerts, audience.households, clock_ms)
        if story is None:
            raise web.HTTPNotFound(text="no such alert")
        return _json(story)


@web.middleware
async def _own_host_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that a foreign page sent here under a name of its own."""
    if request.url.host not in (HOST, "localhost"):
        raise web.HTTPForbidden(text="this page is for this machine alone")
    return await handler(request)


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"


def _json(value: Any) -> web.Response:
    return web.Response(body=_encoder.encode(value), content_type="application/json")


def _event(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encoder.encode(value) + b"\n\n"
