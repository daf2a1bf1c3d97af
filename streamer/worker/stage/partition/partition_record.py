"""What the table keeps of a partition itself, beside its users: its clock, its topics, and its model."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import StateError

CLOCK_KEY: Final = b"\xffclock"
"""Table key of the record; no user has it, since user ids are UTF-8."""

RECORD_VERSION: Final = 2
"""Version 1 was the clock alone."""


class SourceTopics(msgspec.Struct, frozen=True):
    """The topics that states were made of and lie in; they have other ids once they were created anew.

    ``partitions``: of the events topic. A user's partition depends on it.
    """

    events: str
    changelog: str
    partitions: int


class TakenUp(msgspec.Struct, frozen=True):
    """Since when a partition is scored with a model: records from ``offset`` on, and time since then.

    ``revision``: the decision that it followed, 0 for the bundle in the worker's settings.
    """

    sha256: str
    offset: int
    revision: int


class PartitionRecord(msgspec.Struct, frozen=True, array_like=True):
    """``clock_ms``: epoch milliseconds. ``topics`` and ``model``: ``None`` where nobody has told them."""

    version: int
    clock_ms: int
    topics: SourceTopics | None = None
    model: TakenUp | None = None


def encode_record(clock_ms: int, topics: SourceTopics | None, model: TakenUp | None = None) -> bytes:
    """A record of this version."""
    return msgspec.msgpack.encode(PartitionRecord(RECORD_VERSION, clock_ms, topics, model))


def decode_record(stored: bytes) -> PartitionRecord:
    """The record in ``stored``.

    Raises :class:`~schemas.errors.StateError` where it is damaged, or of a newer version.
    """
    try:
        found = msgspec.msgpack.decode(stored, type=list[msgspec.Raw])
        version = msgspec.msgpack.decode(found[0], type=int)
        if version == RECORD_VERSION:
            return msgspec.msgpack.decode(stored, type=PartitionRecord)
    except (msgspec.MsgspecError, IndexError, RecursionError) as error:
        raise StateError(
            f"a partition's stored record is damaged ({error}); delete the local store so that it is "
            "recovered from the changelog"
        ) from error
    raise StateError(
        f"a partition's stored record has version {version}, this program reads up to {RECORD_VERSION}; "
        "start the release that wrote it, or a newer one"
    )
