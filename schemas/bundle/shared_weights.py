"""Weights that several graphs of a bundle share: they lie in one of the files and are joined to the others.

A serialised ONNX model is a Protocol Buffers message, and messages whose bytes follow each other are one
whose lists are joined. So a graph's weights need to be found in its bytes, but never understood.
"""

from __future__ import annotations

from typing import Final

from schemas.bundle.manifest import SHARED_WEIGHTS
from schemas.bundle.protobuf import parts

_GRAPH: Final = 7  # of a ModelProto
_INITIALIZER: Final = 5  # of a GraphProto
_NAME: Final = 8  # of a TensorProto


def with_weights(graph: bytes, source: bytes) -> bytes:
    """``graph`` with the weights of ``source`` that graphs share. Both are serialised ONNX models.

    Raises ``ValueError`` where ``source`` is none.
    """
    weights = b"".join(
        _field(_INITIALIZER, tensor)
        for body in parts(source, _GRAPH)
        for tensor in parts(body, _INITIALIZER)
        if any(name.startswith(SHARED_WEIGHTS.encode()) for name in parts(tensor, _NAME))
    )
    return graph + _field(_GRAPH, weights)


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
