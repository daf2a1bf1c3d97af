"""``/live`` and ``/ready`` of a real worker, before it has partitions and while its broker stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import aiohttp

from schemas.topics import EVENTS
from streamer.processes.broker import LocalBroker
from tests.integration.shop import Shop, wait_for
from tests.integration.worker.test_worker_kills import shopping

EVENTS_A_TRANSACTION = "20"
STUCK_AFTER_S = "1"


def test_live_while_it_commits_and_not_while_work_waits(own_broker: LocalBroker, tmp_path: Path) -> None:
    port = _free_port()
    shop = Shop(
        own_broker.bootstrap,
        "h.",
        tmp_path,
        http_port=str(port),
        max_batch=EVENTS_A_TRANSACTION,
        stuck_after_s=STUCK_AFTER_S,
    )
    assert shop.run("topics", "--apply").returncode == 0

    async def body(process: subprocess.Popen[bytes]) -> None:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:

            async def answers(path: str, status: int, words: str = "") -> bool:
                assert process.poll() is None, shop.log()[-3000:]
                try:
                    async with http.get(path) as response:
                        return response.status == status and words in await response.text()
                except aiohttp.ClientConnectionError:
                    return False

            await wait_for(lambda: answers("/ready", 503, "assigned"), "a worker that starts")
            await wait_for(lambda: answers("/ready", 200), "a worker that is ready")
            assert await answers("/live", 200)
            await shop.publish(shopping(users=500, days=150, seed=3))
            total = sum((await shop.ends(shop.topic(EVENTS))).values())

            async def begun() -> bool:
                return await shop.committed() > 0

            await wait_for(begun, "the first commit")
            assert await shop.committed() < total, "all was done before the broker stood still"
            os.kill(own_broker.pid, signal.SIGSTOP)
            try:
                await wait_for(lambda: answers("/live", 503, "wait"), "complaints about work that waits")
                assert await answers("/ready", 503)
            finally:
                os.kill(own_broker.pid, signal.SIGCONT)
            await wait_for(lambda: answers("/live", 200), "a worker that commits again")
            await shop.wait_until_committed(total, process)
            assert await answers("/live", 200)

    with shop.worker() as process:
        asyncio.run(body(process))


def test_taken_port_is_named(own_broker: LocalBroker, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shop = Shop(own_broker.bootstrap, "p.", tmp_path, http_port=port)
        assert shop.run("topics", "--apply").returncode == 0
        ended = shop.run("worker")
        assert ended.returncode == 2
        assert port in ended.stderr
        assert "Traceback" not in ended.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
