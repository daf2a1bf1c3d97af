"""A real Kafka for the integration tests.

``broker`` is shared by the whole session: the one at ``KAFKA_BOOTSTRAP`` if that is set, else a
container where a Docker engine answers and has or gets the image, else a local broker from packages.
Tests that stop, freeze or kill a broker take one of their own: ``own_broker``.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import docker
import docker.errors
import pytest
from testcontainers.core.container import DockerContainer

from streamer.processes.broker import LocalBroker, local_broker
from streamer.processes.broker.configuration import broker_settings
from streamer.processes.broker.lock import KAFKA_VERSION
from streamer.processes.broker.probe import broker_answers

CONTAINER_DEADLINE_S = 90.0


class Broker(NamedTuple):
    """A broker that answers at ``bootstrap`` (``host:port``)."""

    bootstrap: str


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker; keep topics apart with ``topic_prefix``."""
    with ExitStack() as stack:
        bootstrap = os.environ.get("KAFKA_BOOTSTRAP") or containers_bootstrap(stack)
        if bootstrap is None:
            bootstrap = stack.enter_context(local_broker(tmp_path_factory.mktemp("broker"))).bootstrap
        yield Broker(bootstrap)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    """A running local broker for one test, which may kill and restart it."""
    with local_broker(tmp_path / "broker") as local:
        yield local


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, consumer groups and transactional ids that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}."


def containers_bootstrap(stack: ExitStack) -> str | None:
    """Of Kafka in a container that ends with ``stack``; ``None`` where there can be none."""
    if not _docker_engine_answers():
        return None
    try:
        return stack.enter_context(_container())
    except docker.errors.DockerException as error:
        # Of Kafka's image or of the one that testcontainers cleans up with.
        warnings.warn(f"no container, a local broker instead: {error}", stacklevel=2)
        return None


def _docker_engine_answers() -> bool:
    try:
        client = docker.from_env()
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except docker.errors.DockerException:
        return False
    finally:
        client.close()


@contextmanager
def _container() -> Iterator[str]:
    """Apache Kafka in a container with the settings of the local broker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = broker_settings(Path("/tmp/kafka-data"), port, controller_port=9093)
    # Port and address are the same inside and outside, so that the advertised listener fits.
    settings["listeners"] = f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:9093"
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(port, port)
    for name, value in settings.items():
        container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), str(value))
    with container:
        deadline = time.monotonic() + CONTAINER_DEADLINE_S
        while not broker_answers("127.0.0.1", port):
            if time.monotonic() > deadline:
                pytest.fail(f"the Kafka container did not answer within {CONTAINER_DEADLINE_S:.0f} s")
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
