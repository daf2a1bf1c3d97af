"""``docker-compose.yml`` fits the Compose Specification, this project's commands and settings, and Kafka.

No container engine is needed: the schema is the specification's own (see ``compose-spec.NOTICE``), and
Kafka reads its settings in the local broker's Java.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamer.cli import COMMANDS
from streamer.processes.broker.configuration import broker_settings, write_properties
from streamer.processes.broker.jars import class_path
from streamer.processes.broker.lock import KAFKA_VERSION
from streamer.processes.broker.probe import CORRELATION_ID, METADATA_REQUEST
from streamer.processes.broker.process import java_binary
from streamer.settings.loading import load_settings
from streamer.settings.sources import ENVIRONMENT_PREFIX
from streamer.worker.http.health import health_application
from streamer.worker.http.server import HttpServer, listen

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def specification() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_it_fits_the_specification(
    compose: dict[str, Any], specification: jsonschema.Draft202012Validator
) -> None:
    assert [error.message for error in specification.iter_errors(compose)] == []


def test_the_schema_refuses_what_the_specification_does_not_know(
    compose: dict[str, Any], specification: jsonschema.Draft202012Validator
) -> None:
    compose["services"]["kafka"]["imagine"] = "apache/kafka"
    assert not specification.is_valid(compose)


def test_it_runs_the_kafka_that_is_tested(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("service", ["topics", "streamer"])
def test_commands_and_settings_exist(
    compose: dict[str, Any], service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    definition = compose["services"][service]
    assert definition["command"][0] in COMMANDS
    environment: dict[str, str] = _interpolated(definition["environment"])
    assert all(name.startswith(ENVIRONMENT_PREFIX) for name in environment)
    kafka = compose["services"]["kafka"]["environment"]
    assert (
        f"INTERNAL://{load_settings(environment=environment).bootstrap}"
        in kafka["KAFKA_ADVERTISED_LISTENERS"]
    )


def test_nothing_is_published_beyond_this_machine(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_taken_on_the_host_can_be_chosen(compose: dict[str, Any]) -> None:
    chosen = {"KAFKA_PORT": "19092", "POSTGRES_PORT": "15432", "STREAMER_MODE": "event-time"}
    for given, ports, mode in (({}, ("9092", "5432"), "live"), (chosen, ("19092", "15432"), "event-time")):
        services = _interpolated(compose, **given)["services"]
        assert services["kafka"]["ports"] == [f"127.0.0.1:{ports[0]}:9092"]
        advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert advertised.split(",")[1] == f"HOST://127.0.0.1:{ports[0]}"
        assert services["postgres"]["ports"] == [f"127.0.0.1:{ports[1]}:5432"]
        assert services["streamer"]["environment"]["STREAMER_MODE"] == mode


def test_kafkas_own_topics_are_as_small_as_the_local_brokers(compose: dict[str, Any]) -> None:
    environment = compose["services"]["kafka"]["environment"]
    local = broker_settings(Path(), 1, 2)
    for name, partitions in local.items():
        if name.endswith("num.partitions"):
            assert environment[f"KAFKA_{name.upper().replace('.', '_')}"] == str(partitions), name


@pytest.mark.parametrize("brokers", [1, 10, 256, 0, None])
def test_kafkas_health_check_asks_for_a_broker_that_has_joined(
    compose: dict[str, Any], brokers: int | None
) -> None:
    """Its own command, with a port where its one request is answered with so many brokers, or not at all."""
    kind, *command = _interpolated(compose["services"]["kafka"]["healthcheck"]["test"])
    assert kind == "CMD"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        command[-1] = command[-1].replace("/19092", f"/{listening.getsockname()[1]}")
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            connection, _ = listening.accept()
            with connection:
                asked = connection.recv(18, socket.MSG_WAITALL)
                if brokers is not None:
                    connection.sendall(struct.pack(">iii", 1000, CORRELATION_ID, brokers))
            code = process.wait(30)
    assert asked == METADATA_REQUEST
    assert (code == 0) is bool(brokers)


def test_kafka_accepts_its_settings(compose: dict[str, Any], tmp_path: Path) -> None:
    """As the image does: ``KAFKA_NODE_ID`` is ``node.id``. Formatting reads and validates them all."""
    environment: dict[str, str] = _interpolated(compose["services"]["kafka"]["environment"])
    cluster_id = environment.pop("CLUSTER_ID")
    settings: dict[str, object] = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in environment.items()
    }
    settings["log.dirs"] = tmp_path / "data"
    properties = tmp_path / "server.properties"
    write_properties(properties, settings)
    java = [java_binary(), "-cp", class_path(), "kafka.tools.StorageTool"]
    result = subprocess.run(
        [*java, "format", "-t", cluster_id, "-c", str(properties)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    assert f"cluster.id={cluster_id}" in (tmp_path / "data" / "meta.properties").read_text()


def test_the_image_is_built_from_files_that_reach_the_build() -> None:
    instructions = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    sources = {source for line in instructions for source in line.split()}
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert {"pyproject.toml", "schemas", "streamer"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in let_in, f"{source} is kept out by Dockerfile.dockerignore"


def test_the_image_runs_as_a_user_without_rights() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[-1] == "10001:10001"


def test_images_are_of_a_version(compose: dict[str, Any]) -> None:
    """A tag that says less changes under us from one build to the next."""
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases.pop())
    for name, service in compose["services"].items():
        assert re.search(r":\d+(\.\d+)*$", service["image"]), name


@pytest.mark.parametrize("service", ["topics", "streamer"])
def test_our_containers_may_write_only_what_they_must(compose: dict[str, Any], service: str) -> None:
    definition = compose["services"][service]
    assert definition["read_only"] is True
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "user"} & definition.keys()
    mounted = [
        # In its short form a volume without a name is its place alone, which older engines take as well.
        volume if isinstance(volume, str) else volume["target"]
        for volume in definition.get("volumes", [])
        if isinstance(volume, str) or not volume.get("read_only")
    ]
    data_dir = definition["environment"].get("STREAMER_DATA_DIR")
    assert [*definition["tmpfs"], *mounted] == ["/tmp", *filter(None, [data_dir])]


def test_a_worker_takes_no_bundle_but_the_mounted_one(compose: dict[str, Any]) -> None:
    environment = compose["services"]["streamer"]["environment"]
    assert environment["STREAMER_BUNDLE_ROOT"] == environment["STREAMER_BUNDLE"]


def test_no_secret_lies_in_the_image_or_the_file(compose: dict[str, Any]) -> None:
    names = re.compile("password|secret|token|credential", re.IGNORECASE)
    assert not names.search(DOCKERFILE.read_text())
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            # A value from outside may have a default, for a database that only this machine reaches.
            assert not names.search(name) or str(value).startswith("${"), name


@pytest.mark.parametrize("obstacle", [None, "nothing was committed"])
def test_the_health_check_asks_whether_the_worker_gets_on(
    compose: dict[str, Any], obstacle: str | None
) -> None:
    """Its own command, with a free port instead of the container's."""
    definition = compose["services"]["streamer"]
    kind, program, *arguments = definition["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    port = definition["environment"]["STREAMER_HTTP_PORT"]
    assert f":{port}/" in arguments[-1]

    class Worker:
        def stuck(self) -> str | None:
            return obstacle

        def not_ready(self) -> str | None:
            return "a worker that is not ready is alive"

    async def asked() -> int:
        listening = listen("127.0.0.1", 0)
        server = HttpServer(listening, health_application(Worker()))
        command = arguments[-1].replace(f":{port}/", f":{listening.getsockname()[1]}/")
        await server.start()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments[:-1], command, stderr=asyncio.subprocess.DEVNULL
            )
            return await process.wait()
        finally:
            await server.stop()

    assert (asyncio.run(asked()) == 0) is (obstacle is None)


def _interpolated(value: Any, **given: str) -> Any:
    """As Compose reads a value, with ``given`` in the environment."""
    if isinstance(value, dict):
        return {name: _interpolated(each, **given) for name, each in value.items()}
    if isinstance(value, list):
        return [_interpolated(each, **given) for each in value]
    if not isinstance(value, str):
        return value
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1], found[2]), value)
    return filled.replace("$$", "$")
