"""The page of the demonstration over HTTP, and in a real browser where Chromium is installed."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from schemas.errors import ConfigurationError
from schemas.wire.encoding import encode_alert, encode_score
from streamer.demo.audience.audience import Audience
from streamer.demo.closing import Closing
from streamer.demo.page.page import Page
from tests.demo_messages import alert, day, decline_alert, decline_manifest, manifest, score

DEADLINE_S = 30.0
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--window-size=1280,900", "about:blank",
)  # fmt: skip


def audience_with_two_alerts() -> Audience:
    """Household 7 came back 20 days after its alert, <b>8</b> is silent."""
    audience = Audience(manifest())
    for number in (0, 5, 10, 40):
        audience.households.note("7", day(number))
    audience.households.note("<b>8</b>", day(2))
    audience.loading = False
    audience.total = audience.committed = 5
    scores = (
        score("7", day(10), 0.6, scored_ms=day(20), curve=(0.2, 0.4, 0.8), alert_id="a1"),
        score("7", day(40), 0.1),
        score("<b>8</b>", day(2), 0.4, scored_ms=day(41), curve=(0.2, 0.4, 0.8), alert_id="a2"),
    )
    for published in scores:
        audience.take_score(published.user_id.encode(), encode_score(published))
    for revision in (
        alert("7", day(20), day(10)),
        alert("7", day(40), day(40), transition="resolved", revision=2, reason="purchase"),
        alert("<b>8</b>", day(41), day(2), alert_id="a2", band="watch"),
    ):
        audience.take_alert(encode_alert(revision))
    return audience


def audience_with_a_decline() -> Audience:
    """Household 7 came every six days for a quarter, and once in the 56 days after its alert."""
    audience = Audience(decline_manifest())
    for number in (*range(0, 91, 6), 130):
        audience.households.note("7", day(number), 16.0)
    audience.households.note("8", day(170), 5.0)
    audience.loading = False
    audience.take_alert(encode_alert(decline_alert("7", day(106), day(90))))
    audience.take_score(b"8", encode_score(score("8", day(170), 0.1)))
    return audience


@asynccontextmanager
async def served(audience: Audience) -> AsyncIterator[Page]:
    page = Page(audience)
    await page.start()
    try:
        page.show(audience.next_frame())
        yield page
    finally:
        await page.stop()


async def read_event(response: aiohttp.ClientResponse) -> tuple[str, Any]:
    name = (await response.content.readline()).decode().removeprefix("event: ").strip()
    data = (await response.content.readline()).removeprefix(b"data: ")
    assert await response.content.readline() == b"\n"
    return name, msgspec.json.decode(data)


async def get(session: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, str]:
    async with session.get(url, headers=headers) as response:
        return response.status, await response.text()


def test_the_stream_begins_with_everything_missed_and_goes_on_with_frames() -> None:
    async def scenario() -> None:
        audience = audience_with_two_alerts()
        async with (
            served(audience) as page,
            aiohttp.ClientSession() as session,
            session.get(page.url + "events") as stream,
        ):
            name, setting = await read_event(stream)
            assert name == "setting"
            assert setting["edges"] == {"watch": 0.3, "high": 0.5, "critical": 0.7}
            assert [line["alert_id"] for line in setting["alerts"]] == ["a1", "a1", "a2"]
            assert [line["tone"] for line in setting["alerts"]] == ["high", "returned", "watch"]
            assert len(setting["chart"]) == 1
            name, frame = await read_event(stream)
            assert (name, frame["committed"], frame["alerts"]) == ("frame", 5, [])
            for user_id, number in (("9", 50), ("10", 45)):
                opened = alert(user_id, day(number), day(30), alert_id=f"a{user_id}")
                audience.take_alert(encode_alert(opened))
            page.show(audience.next_frame())
            _, frame = await read_event(stream)
            assert [line["user_id"] for line in frame["alerts"]] == ["10", "9"]
            assert frame["clock_ms"] == frame["alerts"][-1]["at_ms"] == frame["point"][0]
            page.close(Closing([("AUROC", "0.9", "")], ["It was right."]))
            assert await read_event(stream) == (
                "closing",
                {"figures": [["AUROC", "0.9", ""]], "lines": ["It was right."]},
            )

    asyncio.run(scenario())


def test_stories_and_searches_answer_and_nothing_comes_from_outside() -> None:
    async def scenario() -> None:
        async with served(audience_with_two_alerts()) as page, aiohttp.ClientSession() as session:
            status, body = await get(session, page.url + "api/stories/a1")
            assert (status, msgspec.json.decode(body)["verdict"]) == (200, "returned")
            assert [told["tone"] for told in msgspec.json.decode(body)["revisions"]] == ["high", "returned"]
            assert (await get(session, page.url + "api/stories/unknown"))[0] == 404
            _, body = await get(session, page.url + "api/alerts?show=open")
            assert [found["alert_id"] for found in msgspec.json.decode(body)["alerts"]] == ["a2"]
            async with session.get(page.url) as response:
                assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
                sources = re.findall(r'(?:src|href)="([^"]+)"', await response.text())
            for source in sources:
                if source.startswith("/"):
                    assert (await get(session, page.url + source[1:]))[0] == 200, source
                else:
                    assert source.startswith(("#", "data:")), source

    asyncio.run(scenario())


def test_a_request_under_a_foreign_name_is_refused() -> None:
    async def scenario() -> None:
        async with served(audience_with_two_alerts()) as page, aiohttp.ClientSession() as session:
            assert (await get(session, page.url, Host="shop.example"))[0] == 403

    asyncio.run(scenario())


def test_a_port_that_is_taken_is_named() -> None:
    async def scenario() -> None:
        async with served(audience_with_two_alerts()) as page:
            port = int(page.url.rstrip("/").rsplit(":", 1)[1])
            with pytest.raises(ConfigurationError, match=f"port {port} .* --port"):
                await Page(Audience(manifest()), port).start()

    asyncio.run(scenario())


class Browser:
    """Chromium, driven through its DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            answer: dict[str, Any] = await self._socket.receive_json(timeout=DEADLINE_S)
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(str(answer["params"]))
            if answer.get("id") == self._calls:
                return answer["result"]

    async def value(self, expression: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait_for(self, expression: str, fits: Callable[[Any], bool] = bool) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not fits(value := await self.value(expression)):  # noqa: ASYNC110 - a page sends no word
                await asyncio.sleep(0.05)
        return value

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, text="\r" if key == "Enter" else ""
            )


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        f"--user-data-dir={profile}",
        *FLAGS,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
            found = None
            while found is None:
                found = re.search(r"ws://([^/]+)/devtools", (await process.stderr.readline()).decode())
            async with session.get(f"http://{found[1]}/json") as response:
                targets: list[dict[str, str]] = await response.json()
            address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                yield Browser(socket)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; the tests above use HTTP alone")
def test_in_a_browser_an_alert_is_chosen_with_the_keyboard_and_tells_its_story(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(audience_with_two_alerts()) as page, browser(tmp_path) as chromium:
            for domain in ("Runtime", "Log", "Page"):
                await chromium.call(f"{domain}.enable")
            await chromium.call("Page.navigate", url=page.url)
            rows = "[...document.querySelectorAll('#alerts .words')].map(row => row.textContent)"
            newest = await chromium.wait_for(rows)
            # A household's name is text, whatever it looks like.
            assert newest[0].startswith("Household <b>8</b> has shopped only once or twice")
            assert await chromium.value("document.querySelectorAll('#chart .area').length") == 4
            assert await chromium.value("document.querySelector('#open').textContent") == "1"

            await chromium.value("document.querySelector('#alerts button').focus()")
            await chromium.press("ArrowDown")
            await chromium.press("ArrowDown")
            await chromium.press("Enter")
            title = "document.querySelector('#story-title').textContent"
            await chromium.wait_for(title, lambda text: text == "Household 7")
            assert "Shopped again 20 days after" in await chromium.value(
                "document.querySelector('.verdict').textContent"
            )
            assert await chromium.value("document.querySelectorAll('.purchase').length") == 4
            assert await chromium.value("document.querySelectorAll('.edge').length") == 3
            assert await chromium.value("document.querySelector('.curve') !== null")
            assert await chromium.value("location.hash") == "#alert=a1"
            await chromium.press("Escape")
            await chromium.wait_for(title, lambda text: text == "Story")

            await chromium.value("document.querySelector('input[value=open]').click()")
            await chromium.wait_for(rows, lambda texts: len(texts) == 1)
            page.close(Closing([("AUROC", "0.9", "")], ["It was right."]))
            await chromium.wait_for("!document.querySelector('#closing').hidden")
            assert chromium.complaints == []

    asyncio.run(scenario())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; the tests above use HTTP alone")
def test_in_a_browser_the_story_of_a_decline_shows_spending_beside_the_usual(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(audience_with_a_decline()) as page, browser(tmp_path) as chromium:
            for domain in ("Runtime", "Log", "Page"):
                await chromium.call(f"{domain}.enable")
            await chromium.call("Page.navigate", url=f"{page.url}#alert=d1")
            verdict = "document.querySelector('.verdict')?.textContent"
            told = await chromium.wait_for(verdict)
            assert told.startswith(
                "Came less In the 56 days after the alert it came on 1 day and spent 16 USD"
            )
            assert "came every 6 days, now 16 days away" in await chromium.value(
                "document.querySelector('.sentence').textContent"
            )
            assert await chromium.value("document.querySelectorAll('.spent').length") == 5
            assert await chromium.value("document.querySelectorAll('.spent.after').length") == 2
            assert await chromium.value("document.querySelectorAll('.usual, .due').length") == 2
            assert await chromium.value("document.querySelector('.curve') === null")
            labels = "[...document.querySelectorAll('[data-verdict]')].map(each => each.textContent).join()"
            assert await chromium.value(labels) == "Came less,Kept coming,Too early"
            assert chromium.complaints == []

    asyncio.run(scenario())
