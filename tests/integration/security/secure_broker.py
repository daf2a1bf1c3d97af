"""A real Kafka that asks who is there: TLS, names and passwords, certificates of clients."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import trustme
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from streamer.processes.broker import LocalBroker

USER = "churn-worker"
PASSWORD = "planted-Passw0rd"  # pragma: allowlist secret
HOST = "127.0.0.1"
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


class SecureBroker:
    """``clear``: address of the listener for the test itself. The others are for the streamer.

    ``secure``: TLS and SASL. ``sasl``: SASL in the clear. ``mutual``: TLS with a certificate of the client.
    ``astray``: in the clear, and sends clients on to ``nowhere``, where nothing answers. ``by_ipv6``: in the
    clear, ``None`` on a machine without IPv6.
    All certificates are for 127.0.0.1 alone. ``files`` has ``ca.pem``, ``other-ca.pem``, ``cert.pem``,
    ``key.pem`` and ``password``.
    """

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.files.mkdir()
        ports = _free_ports(7)
        self.clear, self.secure, self.sasl, self.mutual, self.astray, self.nowhere = (
            f"{HOST}:{port}" for port in ports[:6]
        )
        self.by_ipv6 = f"[::1]:{ports[6]}" if _has_ipv6() else None
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.files / "ca.pem")
        trustme.CA().cert_pem.write_to_path(self.files / "other-ca.pem")
        ours = authority.issue_cert(USER)
        ours.cert_chain_pems[0].write_to_path(self.files / "cert.pem")
        ours.private_key_pem.write_to_path(self.files / "key.pem")
        (self.files / "password").write_text(PASSWORD + "\n")
        keystore = self.files / "broker.pem"
        keystore.write_bytes(_as_java_reads_it(authority.issue_cert(HOST)))
        self.local = LocalBroker(directory / "broker", ports[0], settings=self._settings(keystore))

    def environment(self, **settings: str) -> dict[str, str]:
        """Settings for the listener ``secure``, with ``settings`` instead of some."""
        given = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": USER,
            "sasl_password_file": str(self.files / "password"),
            "tls_ca_file": str(self.files / "ca.pem"),
        }
        return given | settings

    def add_users(self) -> None:
        """Let ``USER`` in by SCRAM; by PLAIN it is let in from the start."""
        admin = AdminClient({"bootstrap.servers": self.clear})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            # One request each: Kafka changes a user once in a request.
            info = ScramCredentialInfo(mechanism, 4096)
            wanted = [UserScramCredentialUpsertion(USER, info, PASSWORD.encode())]
            changed: Mapping[str, Any] = admin.alter_user_scram_credentials(wanted)
            changed[USER].result(30)

    def _settings(self, keystore: Path) -> dict[str, object]:
        listeners = {
            "PLAINTEXT": self.clear,
            "SECURE": self.secure,
            "SASL": self.sasl,
            "MUTUAL": self.mutual,
            "ASTRAY": self.astray,
        }
        if self.by_ipv6 is not None:
            listeners["V6"] = self.by_ipv6
        advertised = listeners | {"ASTRAY": self.nowhere}
        controller = _free_ports(1)[0]
        settings: dict[str, object] = {
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"{_joined(listeners)},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": _joined(advertised),
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SECURE:SASL_SSL,SASL:SASL_PLAINTEXT,MUTUAL:SSL,ASTRAY:PLAINTEXT,V6:PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.files / "ca.pem",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.mutual.ssl.client.auth": "required",
        }
        for listener in ("secure", "sasl"):
            for mechanism in MECHANISMS:
                module = "plain.Plain" if mechanism == "PLAIN" else "scram.Scram"
                user = f' user_{USER}="{PASSWORD}"' if mechanism == "PLAIN" else ""
                settings[f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"] = (
                    f"org.apache.kafka.common.security.{module}LoginModule required{user};"
                )
        return settings


@contextmanager
def secure_broker(directory: Path) -> Iterator[SecureBroker]:
    """A running one for the length of a block."""
    broker = SecureBroker(directory)
    broker.local.start()
    try:
        broker.add_users()
        yield broker
    finally:
        broker.local.stop()


def _joined(listeners: Mapping[str, str]) -> str:
    return ",".join(f"{name}://{address}" for name, address in listeners.items())


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    """Different ones: all are held until all are found."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]


def _as_java_reads_it(certificate: trustme.LeafCert) -> bytes:
    """The key as PKCS #8, then the certificates."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    form, sealing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return key.private_bytes(serialization.Encoding.PEM, form, sealing) + chain
