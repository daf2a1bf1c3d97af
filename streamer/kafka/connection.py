"""How to reach the brokers: addresses, TLS, who we are. Every Kafka client here is made from it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamer.kafka.record_batches  # noqa: F401 - whoever connects may consume
from schemas.errors import ConfigurationError
from streamer.settings.secret import Secret
from streamer.settings.secret_files import secret_of
from streamer.settings.settings import Settings

SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


@dataclass(frozen=True)
class Sasl:
    """Who we are to the brokers."""

    mechanism: SaslMechanism
    username: str
    password: Secret


@dataclass(frozen=True)
class Connection:
    """``bootstrap``: ``host:port`` of one or more brokers, separated by commas.

    ``tls``: ``None`` for connections in the clear. ``sasl``: ``None`` where brokers do not ask who we are, or
    tell it by our certificate.
    """

    bootstrap: str
    tls: ssl.SSLContext | None = None
    sasl: Sasl | None = None

    @property
    def protocol(self) -> str:
        """Kafka's ``security.protocol``."""
        return ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")

    @property
    def client_options(self) -> dict[str, Any]:
        """What every client of aiokafka takes, by keyword."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.protocol,
            "ssl_context": self.tls,
        }
        if self.sasl is not None:
            options["sasl_mechanism"] = self.sasl.mechanism
            options["sasl_plain_username"] = self.sasl.username
            options["sasl_plain_password"] = self.sasl.password.reveal()
        return options


def connection_of(settings: Settings) -> Connection:
    """The connection that ``settings`` describe.

    Raises ``ConfigurationError`` for settings that contradict each other and for files that cannot be read;
    it names the setting.
    """
    wanted = settings.security_protocol
    tls = _tls(settings) if wanted in ("SSL", "SASL_SSL") else None
    sasl = _sasl(settings) if wanted in ("SASL_PLAINTEXT", "SASL_SSL") else None
    if tls is None:
        _refuse(settings, ("tls_ca_file", "tls_cert_file", "tls_key_file"), "SSL or SASL_SSL")
    if sasl is None:
        unused = ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_password_file")
        _refuse(settings, unused, "SASL_SSL or SASL_PLAINTEXT")
    elif tls is None and sasl.mechanism == "PLAIN":
        raise ConfigurationError(
            "sasl_mechanism PLAIN over SASL_PLAINTEXT would send the password in the clear: set "
            "security_protocol SASL_SSL, or a mechanism of SCRAM"
        )
    return Connection(settings.bootstrap, tls, sasl)


def _sasl(settings: Settings) -> Sasl:
    mechanism, username = settings.sasl_mechanism, settings.sasl_username
    password = secret_of(settings, "sasl_password")
    missing = {
        "sasl_mechanism (SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN)": mechanism,
        "sasl_username": username,
        "sasl_password or sasl_password_file": password,
    }
    names = [name for name, value in missing.items() if value is None]
    if mechanism is None or username is None or password is None:
        raise ConfigurationError(
            f"security_protocol {settings.security_protocol} needs {', '.join(names)} beside it"
        )
    return Sasl(mechanism, username, password)


def _tls(settings: Settings) -> ssl.SSLContext:
    """Checks the brokers' certificates and that they bear the names we call them by."""
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("tls_ca_file", settings.tls_ca_file, error) from error
    # What OpenSSL allows by default depends on how it was built.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_cert_file is None:
        if settings.tls_key_file is not None:
            raise ConfigurationError("tls_key_file needs tls_cert_file beside it, the certificate of the key")
        return context
    try:
        # Without a password OpenSSL would ask for one on the terminal; an empty one opens nothing.
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password="")  # nosec B106
    except (OSError, ssl.SSLError, ValueError) as error:
        raise _unreadable(
            "tls_cert_file, tls_key_file", settings.tls_key_file or settings.tls_cert_file, error
        ) from error
    return context


def _unreadable(setting: str, file: Path | None, error: Exception) -> ConfigurationError:
    reason = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else None
    return ConfigurationError(
        f"{setting}: {file} cannot be used ({reason or 'not PEM, encrypted, or not the pair of a key'}): "
        "name a readable PEM file"
    )


def _refuse(settings: Settings, names: tuple[str, ...], protocols: str) -> None:
    """Refuse settings that would have no effect: whoever gave them believes to be protected."""
    given = [name for name in names if getattr(settings, name) is not None]
    if given:
        raise ConfigurationError(
            f"{', '.join(given)} has no effect with security_protocol {settings.security_protocol}: set "
            f"security_protocol to {protocols}, or leave it out"
        )
