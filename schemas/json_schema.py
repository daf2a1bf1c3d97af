"""JSON Schema (draft 2020-12) of every message, generated from the structs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from schemas.bundle.manifest import Manifest
from schemas.dead_letter import DeadLetter
from schemas.decision import DecisionMessage
from schemas.erasure import ErasureRequest
from schemas.event import EventMessage
from schemas.score import Score

SCHEMA_DIRECTORY: Final = Path(__file__).with_name("json")

SCHEMA_TYPES: Final[dict[str, type[msgspec.Struct]]] = {
    "event": EventMessage,
    "alert": Alert,
    "score": Score,
    "decision": DecisionMessage,
    "dead-letter": DeadLetter,
    "erasure": ErasureRequest,
    "bundle-manifest": Manifest,
}
"""The struct behind each schema, by the name that its file and its ``$id`` carry."""

_ALWAYS_COMPLETE: Final = frozenset({"alert", "score", "decision", "bundle-manifest"})
"""What this program writes always holds every field, so that a reader may count on it."""


def schema_path(name: str) -> Path:
    """Where the committed schema of this name lies."""
    return SCHEMA_DIRECTORY / f"{name}.schema.json"


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one of ``SCHEMA_TYPES``."""
    schema = msgspec.json.schema(SCHEMA_TYPES[name])
    if name in _ALWAYS_COMPLETE:
        for definition in schema["$defs"].values():
            definition["required"] = list(definition["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:churn-streamer:schema:{name}:v1",
        **schema,
    }


def encode_schema(name: str) -> bytes:
    """The schema as the committed file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=2) + b"\n"
