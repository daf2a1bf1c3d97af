"""Why brokers cannot be talked to, in words; aiokafka tells only its log."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streamer.kafka.connection import Connection
from streamer.settings.bootstrap import Address, broker_addresses

_TIMEOUT_MS = 3000
# Of the addresses that are named in one message.
_SHOWN = 3


async def why_unreachable(connection: Connection) -> str:
    """What the first broker that can be reached refuses, or that none answers, and what to do about it."""
    return await _obstacle(connection) or (
        f"no Kafka broker answers at {connection.bootstrap}: start one (`streamer broker`), or set "
        "STREAMER_BOOTSTRAP to where it is"
    )


async def why_failed(connection: Connection, error: Exception) -> str:
    """That brokers which could be reached have failed with ``error``, and what stands between us and them."""
    failure = str(error) or "it did not answer in time"
    obstacle = await _obstacle(connection)
    if obstacle is None:
        return f"the Kafka broker at {connection.bootstrap} failed: {failure}"
    return f"{obstacle} ({failure})"


async def _obstacle(connection: Connection) -> str | None:
    for address in broker_addresses(connection.bootstrap):
        reached = await _reached(connection, address)
        if isinstance(reached, str):
            return f"the Kafka broker at {address} {reached}"
        if reached is not None and (elsewhere := await _unreachable_elsewhere(connection, address, reached)):
            return elsewhere
    return None


async def _unreachable_elsewhere(
    connection: Connection, address: Address, reached: AIOKafkaConnection
) -> str | None:
    """Which addresses the broker ``reached`` at ``address`` sends clients to in vain; closes ``reached``."""
    try:
        # The first answer of a broker: who there is, and at which addresses.
        metadata: Any = await reached.send(MetadataRequest([]))
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        reached.close()
    advertised = [Address(host, port) for _, host, port, *_ in metadata.brokers]
    found = await asyncio.gather(*(_reached(connection, place) for place in advertised))
    in_vain: list[str] = []
    for place, answer in zip(advertised, found, strict=True):
        if isinstance(answer, AIOKafkaConnection):
            answer.close()
        else:
            in_vain.append(f"{place}, which {answer or 'does not answer'}")
    if not in_vain:
        return None
    more = f", and {len(in_vain) - _SHOWN} more" if len(in_vain) > _SHOWN else ""
    return (
        f"the Kafka broker at {address} answers and sends us on to {'; '.join(in_vain[:_SHOWN])}{more}: set "
        "its advertised.listeners to addresses that can be reached from here, or set STREAMER_BOOTSTRAP to "
        "the listener that is meant for us"
    )


async def _reached(connection: Connection, address: Address) -> AIOKafkaConnection | str | None:
    """A connection to a broker, or what it refuses, in words; ``None`` where nothing answers."""
    options = dict(connection.client_options)
    del options["bootstrap_servers"]
    try:
        return await create_conn(address.host, address.port, request_timeout_ms=_TIMEOUT_MS, **options)
    except ssl.SSLCertVerificationError as error:
        # OpenSSL tells a name and an address that do not fit by different codes.
        if "mismatch" in error.verify_message:
            return (
                f"shows a certificate for another name ({error.verify_message}): set STREAMER_BOOTSTRAP to a "
                "name that its certificate bears"
            )
        return (
            f"shows a certificate that nobody we trust vouches for ({error.verify_message}): set "
            "STREAMER_TLS_CA_FILE to its authority's certificate, or ask whose broker this is"
        )
    except UnsupportedSaslMechanismError:
        return "does not take this mechanism: set STREAMER_SASL_MECHANISM to one that it has"
    except (SaslAuthenticationFailed, IllegalSaslStateError) as error:
        return (
            f"does not accept our user name and password ({error}): check STREAMER_SASL_USERNAME, "
            "STREAMER_SASL_PASSWORD or STREAMER_SASL_PASSWORD_FILE, and STREAMER_SASL_MECHANISM"
        )
    except (KafkaConnectionError, ConnectionResetError, ssl.SSLError):
        return (
            f"ends connections over {connection.protocol} without a reason: set STREAMER_SECURITY_PROTOCOL "
            "to what it speaks, and STREAMER_TLS_CERT_FILE if it asks for a certificate of ours"
        )
    except (KafkaError, OSError, TimeoutError):
        return None
