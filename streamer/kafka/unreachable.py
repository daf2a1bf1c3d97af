"""Why no broker can be talked to, in words; aiokafka tells only its log."""

from __future__ import annotations

import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streamer.kafka.connection import Connection
from streamer.settings.bootstrap import Address, broker_addresses

_TIMEOUT_MS = 3000


async def why_unreachable(connection: Connection) -> str:
    """What the first broker that can be reached refuses, or that none answers, and what to do about it."""
    for address in broker_addresses(connection.bootstrap):
        refusal = await _refusal(connection, address)
        if refusal is not None:
            return f"the Kafka broker at {address} {refusal}"
    return (
        f"no Kafka broker answers at {connection.bootstrap}: start one (`streamer broker`), or set "
        "STREAMER_BOOTSTRAP to where it is"
    )


async def _refusal(connection: Connection, address: Address) -> str | None:
    """What stands between us and the broker at ``address``; ``None`` if nothing tells."""
    options = dict(connection.client_options)
    del options["bootstrap_servers"]
    try:
        connected = await create_conn(address.host, address.port, request_timeout_ms=_TIMEOUT_MS, **options)
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
    connected.close()
    return None
