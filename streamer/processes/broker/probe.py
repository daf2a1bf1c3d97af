"""Does a Kafka broker answer here? One Metadata request over a plain socket."""

from __future__ import annotations

import socket
import struct

METADATA_KEY = 3
METADATA_VERSION = 1  # The oldest version Kafka 4 still reads; a response starts with the brokers.
CORRELATION_ID = 1
# Header (key, version, correlation id, no client id), then an array of no topics.
_REQUEST = struct.pack(">hhihi", METADATA_KEY, METADATA_VERSION, CORRELATION_ID, -1, 0)
METADATA_REQUEST = struct.pack(">i", len(_REQUEST)) + _REQUEST


def broker_answers(host: str, port: int, timeout_s: float = 2.0) -> bool:
    """Whether a broker at this address knows at least one live broker of its cluster, itself included.

    An open port is not enough: a broker accepts connections before it has joined its cluster.
    """
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(METADATA_REQUEST)
            # Length of the response, correlation id, number of brokers.
            head = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(head) < 12:
        return False
    _, correlation_id, brokers = struct.unpack(">iii", head)
    return correlation_id == CORRELATION_ID and brokers > 0
