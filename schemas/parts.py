"""Parts that several messages share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Timestamp = Annotated[
    str, Meta(description="RFC 3339, UTC, ending in Z", extra_json_schema={"format": "date-time"})
]
Probability = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, lower-case hexadecimal")]


class ModelReference(Struct, frozen=True, gc=False):
    """The bundle that a figure came from; ``sha256`` is the hash of its ``manifest.json``."""

    name: str
    version: str
    sha256: Sha256


class Evidence(Struct, frozen=True, gc=False):
    """The last record that a decision had seen of its user."""

    topic: str
    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]
