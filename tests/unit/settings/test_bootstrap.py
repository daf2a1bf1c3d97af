"""Addresses of brokers: what is taken, as what clients get it, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.conn import collect_hosts
from faust.transport.drivers.aiokafka import server_list
from faust.utils.urls import urllist

from schemas.errors import ConfigurationError
from streamer.settings.bootstrap import broker_addresses
from streamer.settings.loading import load_settings


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("kafka:9092", "kafka:9092"),
        ("kafka_1:1", "kafka_1:1"),
        ("[::1]:9092", "[::1]:9092"),
        (" a:1 ,\t127.0.0.1:65535", "a:1,127.0.0.1:65535"),
        ("[2001:DB8::1]:1,a:2", "[2001:db8::1]:1,a:2"),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
    ],
)
def test_every_client_gets_the_same_addresses(given: str, plain: str) -> None:
    bootstrap = load_settings(environment={"STREAMER_BOOTSTRAP": given}).bootstrap
    assert bootstrap == plain
    addresses = [(address.host, address.port) for address in broker_addresses(bootstrap)]
    assert [host[:2] for host in collect_hosts(bootstrap, randomize=False)] == addresses
    # As the worker hands them to Faust, and Faust on to aiokafka.
    servers = server_list(urllist([f"kafka://{address}" for address in broker_addresses(bootstrap)]), 9092)
    assert [host[:2] for host in collect_hosts(servers, randomize=False)] == addresses


@pytest.mark.parametrize(
    "given",
    [
        "",
        "kafka",
        "kafka:",
        ":9092",
        "kafka:0",
        "kafka:99999",
        "kafka:+1",
        "kafka:٣",
        "kafka:" + "9" * 5000,
        "a b:1",
        "::1:9092",
        "[::1]",
        "[kafka]:9092",
        "[::1:9092",
        "a:1,,b:2",
        "a:1,",
        "PLAINTEXT://kafka:9092",
        "kafka:9092/",
    ],
)
def test_what_is_no_address_is_refused_in_words(given: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(environment={"STREAMER_BOOTSTRAP": given})
    assert refusal.value.exit_code == 2
    assert "STREAMER_BOOTSTRAP" in str(refusal.value)
    assert "host:port[,host:port]..." in str(refusal.value)
    assert "^" not in str(refusal.value)


def test_a_file_is_read_alike(tmp_path: Path) -> None:
    (tmp_path / "streamer.toml").write_text('bootstrap = "a:1, b:2"\n')
    assert load_settings(environment={}).bootstrap == "a:1,b:2"
    (tmp_path / "streamer.toml").write_text("bootstrap = 9092\n")
    with pytest.raises(ConfigurationError, match="host:port"):
        load_settings(environment={})
