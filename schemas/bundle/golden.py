"""``golden.json``: histories and what a bundle must make of them, checked whenever it is loaded.

Histories are given as packed tokens, so that the check spans everything between a stored token and a
probability: inputs, transformer, aggregates, features and heads.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from schemas.errors import BundleError


class GoldenAlert(Struct, frozen=True):
    """What the alert graph must answer after a history's last token.

    ``spend``: at a silence of 0 and at each step of the grid; ``types`` and ``categories``: at the first.
    """

    spend: tuple[float, ...]
    types: tuple[float, ...]
    categories: tuple[float, ...]


class GoldenDecline(Struct, frozen=True):
    """What the query graph must answer of decline, at a silence of 0 and at each step of the grid.

    ``probabilities``: of a decline within the window; ``spend``: the amounts expected in it.
    """

    probabilities: tuple[float, ...]
    spend: tuple[float, ...]


class GoldenHistory(Struct, frozen=True):
    """One user. ``hidden``: the vector after the ``n``-th token, by ``n`` in decimal.

    ``probabilities``: the risk after the last token, at a silence of 0 and at each step of the grid.
    ``alert``: null where the bundle has no alert graph; ``decline``: where it foretells none.
    """

    tokens: bytes
    hidden: dict[str, tuple[float, ...]]
    probabilities: tuple[float, ...]
    alert: GoldenAlert | None = None
    decline: GoldenDecline | None = None


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
