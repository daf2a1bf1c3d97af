"""Fields of a serialised Protocol Buffers message, found without knowing the message."""

from __future__ import annotations

from collections.abc import Iterator


def parts(message: bytes, number: int) -> Iterator[bytes]:
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
