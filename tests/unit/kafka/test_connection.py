"""From settings to what Kafka's clients take: what is sent, what is checked, and what is refused."""

from __future__ import annotations

import pickle
import ssl
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from schemas.errors import ConfigurationError
from streamer.kafka.connection import connection_of
from streamer.processes.child import child_environment
from streamer.settings.loading import load_settings
from streamer.settings.secret import Secret
from streamer.settings.settings import Settings

PLANTED = "planted-value"
TEXT = Path("text")
SCRAM = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "streamer",
    "sasl_password": PLANTED,
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(**given: str) -> Settings:
    return load_settings(environment={f"STREAMER_{name.upper()}": value for name, value in given.items()})


def test_without_a_word_connections_are_in_the_clear() -> None:
    assert connection_of(settings(bootstrap="kafka:9")).client_options == {
        "bootstrap_servers": "kafka:9",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_the_broker_is_asked_for_its_certificate_and_its_name() -> None:
    tls = connection_of(settings(security_protocol="SSL")).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname
    assert tls.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_given_authority_is_the_only_one_that_is_trusted(directory: Path) -> None:
    trustme.CA().cert_pem.write_to_path(directory / "ca.pem")
    tls = connection_of(settings(security_protocol="SSL", tls_ca_file="ca.pem")).tls
    assert tls is not None
    assert len(tls.get_ca_certs()) == 1


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_password_may_stand_in_a_file(directory: Path, ending: str) -> None:
    (directory / TEXT).write_bytes(f" pass word {ending}".encode())
    with_file = {name: text for name, text in SCRAM.items() if name != "sasl_password"}
    options = connection_of(settings(**with_file, sasl_password_file=str(TEXT))).client_options
    assert options["sasl_plain_password"] == " pass word "
    assert options["sasl_plain_username"] == "streamer"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["security_protocol"] == "SASL_SSL"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tls_ca_file": "ca.pem"}, ["tls_ca_file", "PLAINTEXT", "SSL or SASL_SSL"]),
        ({"sasl_username": "me"}, ["sasl_username", "PLAINTEXT", "SASL_SSL or SASL_PLAINTEXT"]),
        ({**SCRAM, "security_protocol": "SSL"}, ["sasl_mechanism, sasl_username, sasl_password", "SSL"]),
        (
            {"security_protocol": "SASL_SSL", "sasl_username": "me"},
            ["SASL_SSL needs", "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN", "sasl_password_file"],
        ),
        (
            {**SCRAM, "sasl_password_file": str(TEXT)},
            ["sasl_password and sasl_password_file", "both"],
        ),
        (
            {**SCRAM, "sasl_mechanism": "PLAIN", "security_protocol": "SASL_PLAINTEXT"},
            ["PLAIN", "in the clear", "SASL_SSL"],
        ),
        (
            {"security_protocol": "SSL", "tls_ca_file": "none.pem"},
            ["tls_ca_file", "none.pem", "No such"],
        ),
        ({"security_protocol": "SSL", "tls_ca_file": "text"}, ["tls_ca_file", "text", "not PEM"]),
        ({"security_protocol": "SSL", "tls_key_file": "text"}, ["tls_key_file", "needs tls_cert_file"]),
        ({"security_protocol": "SSL", "tls_cert_file": "text"}, ["tls_cert_file", "text", "not PEM"]),
    ],
)
def test_what_contradicts_itself_or_cannot_be_read_is_refused(
    directory: Path, given: dict[str, str], words: list[str]
) -> None:
    (directory / TEXT).write_text("no certificate")
    with pytest.raises(ConfigurationError) as refusal:
        connection_of(settings(**given))
    assert refusal.value.exit_code == 2
    for word in words:
        assert word in str(refusal.value)
    assert PLANTED not in str(refusal.value)


@pytest.mark.parametrize("content", [None, b"\n", b"\xff"])
def test_a_password_file_without_a_password_is_refused(directory: Path, content: bytes | None) -> None:
    if content is not None:
        (directory / TEXT).write_bytes(content)
    with_file = {name: text for name, text in SCRAM.items() if name != "sasl_password"}
    with pytest.raises(ConfigurationError, match="sasl_password_file: text"):
        connection_of(settings(**with_file, sasl_password_file=str(TEXT)))


def test_a_key_behind_a_password_is_refused_without_a_question(directory: Path) -> None:
    certificate = trustme.CA().issue_cert("streamer")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    for name, key in (("key.pem", certificate), ("other.pem", trustme.CA().issue_cert("other"))):
        key.private_key_pem.write_to_path(directory / name)
    given = {"security_protocol": "SSL", "tls_cert_file": "cert.pem"}
    assert connection_of(settings(**given, tls_key_file="key.pem")).tls is not None
    with pytest.raises(ConfigurationError, match=r"other\.pem"):
        connection_of(settings(**given, tls_key_file="other.pem"))
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    (directory / "sealed.pem").write_bytes(sealed)
    with pytest.raises(ConfigurationError, match="encrypted"):
        connection_of(settings(**given, tls_key_file="sealed.pem"))


def test_a_secret_shows_nowhere_but_where_it_is_revealed() -> None:
    given = settings(**SCRAM)
    assert given.sasl_password == Secret(PLANTED) != Secret("another")
    connection = connection_of(given)
    for shown in (repr(given), f"{given}", repr(connection), f"{given.sasl_password}", str([given])):
        assert "***" in shown
        assert PLANTED not in shown
    for encode in (msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps):
        with pytest.raises(TypeError):
            encode(given)
    assert child_environment(Path(), given)["STREAMER_SASL_PASSWORD"] == PLANTED


@pytest.mark.parametrize(
    "given",
    [
        {"bootstrap": f"streamer:{PLANTED}@kafka:9092"},
        {"bootstrap": f"kafka:1,kafka://streamer:{PLANTED}@kafka:9092"},
        {"bootstrap": f"{PLANTED}@kafka:9092"},
        {"sasl_pasword": PLANTED},
    ],
)
def test_a_refused_setting_does_not_tell_a_secret(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        settings(**given)
    assert PLANTED not in str(refusal.value)


@pytest.mark.parametrize("line", ["sasl_password = 12345678", 'sasl_password = ["12345678"]'])
def test_a_refused_line_of_a_file_does_not_tell_a_secret(directory: Path, line: str) -> None:
    (directory / "streamer.toml").write_text(line)
    with pytest.raises(ConfigurationError, match=r"sasl_password in streamer\.toml: the value") as refusal:
        load_settings(environment={})
    assert "12345678" not in str(refusal.value)
