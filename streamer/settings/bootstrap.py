"""Where brokers are: ``host:port[,host:port]...``, as Kafka's clients write it."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Final, NamedTuple

WORDS: Final = "`host:port[,host:port]...` with ports up to 65535, IPv6 addresses in brackets, no protocol"
_NOT_IN_HOSTS: Final = frozenset(":/@[]")


class Address(NamedTuple):
    """Of one broker. ``host``: a name or an address, IPv6 without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def broker_addresses(bootstrap: str) -> list[Address]:
    """The addresses in ``bootstrap``; blanks around commas do not count.

    Raises ``ValueError`` where one is none.
    """
    return [_address(part.strip()) for part in bootstrap.split(",")]


def plain_bootstrap(bootstrap: str) -> str:
    """``bootstrap`` without what does not count, as every client takes it. Raises ``ValueError``."""
    return ",".join(map(str, broker_addresses(bootstrap)))


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        raise ValueError("no port from 1 to 65535")
    if host.startswith("[") and host.endswith("]"):
        return Address(str(IPv6Address(host[1:-1])), int(port))
    if not host or not host.isprintable() or " " in host or not _NOT_IN_HOSTS.isdisjoint(host):
        raise ValueError("no host")
    return Address(host, int(port))
