"""The network between one worker and the broker, which can be cut and slowed down.

Where network namespaces may be made, the worker lives in one whose only way out is a veth pair, and a cut is
the pair taken down: the kernel then drops every packet. Elsewhere a cut is the relay, through which all of
the worker's traffic goes, ceasing to forward. The relay also makes the network slow.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

CHUNK = 1 << 16
HOST = "127.0.0.1"


class Namespace(NamedTuple):
    """A network namespace and its veth pair: ``address`` is ours, within."""

    name: str
    device: str
    address: str

    @classmethod
    def make(cls, number: int) -> Namespace:
        """One whose name and addresses come from ``number``; raises ``CalledProcessError`` if not allowed."""
        name, subnet, first = f"faults{number}", f"10.213.{number // 64 % 256}", number % 64 * 4
        namespace = cls(name, f"{name}h", f"{subnet}.{first + 1}")
        _ip("netns", "add", name)
        try:
            _ip("link", "add", namespace.device, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("address", "add", f"{subnet}.{first + 1}/30", "dev", namespace.device)
            _ip("link", "set", namespace.device, "up")
            for arguments in (
                ("address", "add", f"{subnet}.{first + 2}/30", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", name, *arguments)
        except BaseException:
            namespace.remove()
            raise
        return namespace

    def cut(self) -> None:
        _ip("link", "set", self.device, "down")

    def mend(self) -> None:
        _ip("link", "set", self.device, "up")

    def remove(self) -> None:
        """The pair goes with the namespace."""
        _ip("netns", "delete", self.name)


class Link:
    """One worker's way to the broker at ``broker_port``; ``delay_s`` is what each direction takes."""

    def __init__(self, broker_port: int, namespace: Namespace | None) -> None:
        self.delay_s = 0.0
        self._broker_port = broker_port
        self._namespace = namespace
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command that is to have this link as its network."""
        return () if self._namespace is None else ("ip", "netns", "exec", self._namespace.name)

    @property
    def route(self) -> str:
        """From the broker's address to where the relay listens."""
        assert self._server is not None, "start comes first"
        host, port = self._server.sockets[0].getsockname()
        return f"{HOST}:{self._broker_port}={host}:{port}"

    async def start(self) -> None:
        """Begin to relay."""
        host = HOST if self._namespace is None else self._namespace.address
        self._server = await asyncio.start_server(self._relay, host, 0)

    def cut(self) -> None:
        """Nothing passes any more."""
        if self._namespace is not None:
            self._namespace.cut()
        else:
            self._open.clear()

    def mend(self) -> None:
        """Everything passes again."""
        if self._namespace is not None:
            self._namespace.mend()
        else:
            self._open.set()

    async def close(self) -> None:
        """End the relay and remove the namespace, in which nothing runs any more."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._namespace is not None:
            self._namespace.remove()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(HOST, self._broker_port)
        except OSError:
            writer.close()
            return
        for source, target in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forward one direction, each chunk so long after it came; the end of one is the end of the other."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            data = b"first"
            while data:
                try:
                    data = await source.read(CHUNK)
                except OSError:
                    data = b""
                waiting.put_nowait((monotonic() + self.delay_s, data))

        reading = asyncio.create_task(read())
        try:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(due - monotonic(), 0))
                await self._open.wait()
                if not data:
                    break
                target.write(data)
                await target.drain()
        except OSError:
            pass  # Whoever was to have it is gone.
        finally:
            reading.cancel()
            target.close()


def make_link(number: int, broker_port: int, say: Callable[[str], None]) -> Link:
    """A link in a namespace, where that is allowed; ``number``: of all links on this machine its own."""
    try:
        namespace = Namespace.make(number)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        say(
            f"no network namespace can be made here ({said.strip()}): a cut is the relay's ceasing to forward"
        )
        namespace = None
    return Link(broker_port, namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
