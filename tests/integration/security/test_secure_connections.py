"""Over TLS and SASL everything works as in the clear; who does not belong is refused; no secret shows."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, SCORES
from tests.integration.security.secure_broker import HOST, PASSWORD, SecureBroker, secure_broker
from tests.integration.shop import Shop
from tests.integration.worker.test_worker_kills import shopping

WRONG = "planted-Wr0ng-password"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with secure_broker(tmp_path_factory.mktemp("secure")) as broker:
        yield broker


def test_a_deployment_over_tls_and_scram(secured: SecureBroker, topic_prefix: str, tmp_path: Path) -> None:
    """Every command and the worker see only the listener that asks for TLS and a password."""
    shop = Shop(secured.secure, topic_prefix, tmp_path, **secured.environment(log_level="debug"))
    told: list[str] = []

    def run(*arguments: str) -> str:
        ended = shop.run(*arguments)
        told.append(ended.stdout + ended.stderr)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("topics", "--apply")
    sent = sorted(shopping(users=40, days=120, seed=7), key=lambda event: event[2])
    user, _, last_ms = sent[-1]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(value for _, value, _ in sent))
    run("replay", str(file))
    outside = Shop(secured.clear, topic_prefix, tmp_path)
    asyncio.run(outside.publish([(user, b"not json " + user.encode(), last_ms)]))
    worker = shop.start_worker()
    try:
        asyncio.run(outside.wait_until_committed(len(sent) + 1, worker))
        status = json.loads(run("status", "--json"))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, shop.log()
    finally:
        worker.kill()

    assert status["totals"]["events"] == len(sent)
    assert status["totals"]["dead_letters"] == {"not-json": 1}
    for topic, least in ((ALERTS, 1), (SCORES, 40), (DEAD_LETTERS, 1), (EVENTS, len(sent))):
        out = tmp_path / f"{topic}.ndjson"
        run("export", topic, "--out", str(out))
        assert len(out.read_text().splitlines()) >= least, topic
    told += [shop.log(), run("topics", "--help"), json.dumps(status)]
    assert "aiokafka" in shop.log(), "the libraries were heard at debug"
    assert not re.search(r"\bu\d+\b", shop.log()), "no user is named"
    for text in told:
        assert PASSWORD not in text


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_other_mechanisms(secured: SecureBroker, topic_prefix: str, tmp_path: Path, mechanism: str) -> None:
    shop = Shop(secured.secure, topic_prefix, tmp_path, **secured.environment(sasl_mechanism=mechanism))
    assert shop.run("topics", "--apply").returncode == 0


def test_scram_without_tls(secured: SecureBroker, topic_prefix: str, tmp_path: Path) -> None:
    settings = secured.environment(security_protocol="SASL_PLAINTEXT")
    del settings["tls_ca_file"]
    assert Shop(secured.sasl, topic_prefix, tmp_path, **settings).run("topics", "--apply").returncode == 0


def test_a_certificate_of_ours_instead_of_a_password(
    secured: SecureBroker, topic_prefix: str, tmp_path: Path
) -> None:
    files = secured.files
    settings = {"security_protocol": "SSL", "tls_ca_file": str(files / "ca.pem")}
    without = Shop(secured.mutual, topic_prefix, tmp_path, **settings).run("topics")
    assert without.returncode == 1
    assert "STREAMER_TLS_CERT_FILE" in without.stderr
    settings |= {"tls_cert_file": str(files / "cert.pem"), "tls_key_file": str(files / "key.pem")}
    assert Shop(secured.mutual, topic_prefix, tmp_path, **settings).run("topics", "--apply").returncode == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sasl_password": WRONG}, ["does not accept our user name and password", "STREAMER_SASL_PASSWORD"]),
        ({"sasl_username": "somebody"}, ["does not accept our user name", "STREAMER_SASL_USERNAME"]),
        ({"tls_ca_file": "other-ca.pem"}, ["nobody we trust vouches for", "STREAMER_TLS_CA_FILE"]),
        ({"tls_ca_file": ""}, ["nobody we trust vouches for", "STREAMER_TLS_CA_FILE"]),
        ({"host": "localhost"}, ["a certificate for another name", "STREAMER_BOOTSTRAP"]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_who_does_not_belong_is_refused_in_words(
    secured: SecureBroker, topic_prefix: str, tmp_path: Path, given: dict[str, str], words: list[str]
) -> None:
    settings = secured.environment() | {name: given[name] for name in given if name != "host"}
    if "sasl_password" in given:
        del settings["sasl_password_file"]
    if ca_file := given.get("tls_ca_file"):
        settings["tls_ca_file"] = str(secured.files / ca_file)
    elif "tls_ca_file" in given:
        del settings["tls_ca_file"]
    address = secured.secure.replace(HOST, given.get("host", HOST))
    assert_refused(Shop(address, topic_prefix, tmp_path, **settings).run("status"), words)


def test_two_that_speak_otherwise(secured: SecureBroker, topic_prefix: str, tmp_path: Path) -> None:
    words = ["ends connections over PLAINTEXT", "STREAMER_SECURITY_PROTOCOL"]
    assert_refused(Shop(secured.secure, topic_prefix, tmp_path).run("status"), words)
    words = ["ends connections over SASL_SSL", "STREAMER_SECURITY_PROTOCOL"]
    assert_refused(Shop(secured.clear, topic_prefix, tmp_path, **secured.environment()).run("status"), words)


def test_an_advertised_address_that_cannot_be_reached_is_named(
    secured: SecureBroker, topic_prefix: str, tmp_path: Path
) -> None:
    words = [f"at {secured.astray} answers and sends us on to {secured.nowhere}", "advertised.listeners"]
    shop = Shop(secured.astray, topic_prefix, tmp_path)
    for arguments in (["topics"], ["topics", "--apply"], ["worker"], ["model", "drop"]):
        assert_refused(shop.run(*arguments), words)


def test_brokers_that_are_named_by_their_ipv6_addresses(
    secured: SecureBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """By the client alone, and by Faust's as well, which takes addresses in another way."""
    if secured.by_ipv6 is None:
        pytest.skip("this machine has no IPv6")
    shop = Shop(f"127.0.0.1:1, {secured.by_ipv6}", topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    asyncio.run(Shop(secured.clear, topic_prefix, tmp_path).publish(shopping(users=1, days=9, seed=5)))
    worker = shop.start_worker()
    try:
        asyncio.run(shop.wait_until_committed(1, worker))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, shop.log()
    finally:
        worker.kill()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_worker_that_is_refused_tells_no_secret_at_debug(
    secured: SecureBroker, topic_prefix: str, tmp_path: Path, mechanism: str
) -> None:
    settings = secured.environment(log_level="debug", sasl_mechanism=mechanism, sasl_password=WRONG)
    del settings["sasl_password_file"]
    ended = Shop(secured.secure, topic_prefix, tmp_path, **settings).run("worker")
    assert "aiokafka" in ended.stderr, "the libraries were heard at debug"
    assert_refused(ended, ["does not accept our user name and password", "STREAMER_SASL_PASSWORD"])


def assert_refused(ended: subprocess.CompletedProcess[str], words: Sequence[str]) -> None:
    assert ended.returncode == 1, ended.stdout + ended.stderr
    for word in words:
        assert word in ended.stderr
    assert "Traceback" not in ended.stderr
    for secret in (PASSWORD, WRONG):
        assert secret not in ended.stdout + ended.stderr
