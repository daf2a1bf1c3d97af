"""Weights that several graphs of a bundle share: they lie in one of the files and are joined to the others.

A serialised ONNX model is a Protocol Buffers message, and messages whose bytes follow each other are one
whose lists are joined. So a graph's weights need to be found in its bytes, but never understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.bundle import SHARED_WEIGHTS

_GRAPH: Final = 7  # of a ModelProto
_INITIALIZER: Final = 5  # of a GraphProto
_NAME: Final = 8  # of a TensorProto


def with_weights(graph: bytes, source: bytes) -> bytes:
    """``graph`` with the weights of ``source`` that graphs share. Both are serialised ONNX models.

    Raises ``ValueError`` where ``source`` is none.
    """
    weights = b"".join(
        _field(_INITIALIZER, tensor)
        for body in _parts(source, _GRAPH)
        for tensor in _parts(body, _INITIALIZER)
        if any(name.startswith(SHARED_WEIGHTS.encode()) for name in _parts(tensor, _NAME))
    )
    return graph + _field(_GRAPH, weights)


def _parts(message: bytes, number: int) -> Iterator[bytes]:
    """Contents of the fields ``number`` of a message; all that are asked for are of varying length."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:  # a number
                _, at = _varint(message, at)
            case 1:  # eight bytes
                at += 8
            case 2:  # a length and as many bytes
                length, at = _varint(message, at)
                if at + length > len(message):
                    raise ValueError(f"not a Protocol Buffers message: it ends within field {tag >> 3}")
                if tag >> 3 == number:
                    yield message[at : at + length]
                at += length
            case 5:  # four bytes
                at += 4
            case other:
                raise ValueError(f"not a Protocol Buffers message: wire type {other} at byte {at}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value, shift = 0, 0
    while True:
        if at >= len(message):
            raise ValueError("not a Protocol Buffers message: it ends within a number")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
