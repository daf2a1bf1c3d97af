"""``golden.json``: histories and what a bundle must make of them, checked whenever it is loaded.

Histories are given as packed tokens, so that the check spans everything between a stored token and a
probability: inputs, transformer, aggregates, features and query head.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from schemas.errors import BundleError


class GoldenHistory(Struct, frozen=True):
    """One user. ``hidden``: the vector after the ``n``-th token, by ``n`` in decimal.

    ``probabilities``: the risk after the last token, at a silence of 0 and at each step of the grid.
    """

    tokens: bytes
    hidden: dict[str, tuple[float, ...]]
    probabilities: tuple[float, ...]


class Golden(Struct, frozen=True):
    """The whole file."""

    histories: tuple[GoldenHistory, ...]


_DECODER: Final = msgspec.json.Decoder(Golden)


def encode_golden(golden: Golden) -> bytes:
    """The file's bytes."""
    return msgspec.json.encode(golden) + b"\n"


def decode_golden(data: bytes, origin: str) -> Golden:
    """The golden vectors in ``data``; ``origin`` names them in a ``BundleError``."""
    try:
        return _DECODER.decode(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{origin} does not hold golden vectors: {error}. Train the bundle again."
        ) from error
