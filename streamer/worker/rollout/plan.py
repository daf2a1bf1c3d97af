"""What the operator has decided of models, as one record: the newest holds, for every worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from schemas.errors import BundleError, StateError
from schemas.parts import Sha256

FolderName = Annotated[str, Meta(pattern=r"^[^\0]+(?![\s\S])")]
"""A path that the system can be asked for."""

Revision = Annotated[int, Meta(ge=0, le=2**62)]


class BundleReference(msgspec.Struct, frozen=True):
    """A bundle as workers find it: ``directory`` on each of their machines, ``sha256`` of its manifest."""

    directory: FolderName
    name: str
    version: str
    sha256: Sha256

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.directory)

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.sha256[:12]}) in {self.directory}"


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """``revision``: rises by one with each decision; 0 before the first. A reset, which knows of none before
    it, has its moment instead (wall time, epoch ms), and those after it count on from there.

    ``serving``: what partitions take up, ``None`` where each worker serves the one in its settings.
    ``since``: the revision that has status so. ``candidate``: what is on trial. ``previous``: what a
    roll-back returns to.
    """

    revision: Revision = 0
    since: Revision = 0
    serving: BundleReference | None = None
    candidate: BundleReference | None = None
    previous: BundleReference | None = None


NO_ROLLOUT: Final = Rollout()
"""Nothing was ever decided."""


class Decided(NamedTuple):
    """What stands in the topic. ``rollout``: of its newest record, or, where that cannot be read, of the one
    before. ``unreadable``: why it cannot; empty where it can.
    """

    rollout: Rollout = NO_ROLLOUT
    unreadable: str = ""

    def after(self, data: bytes) -> Decided:
        """What stands once another record has come; one that cannot be read changes no decision."""
        try:
            return Decided(decode_rollout(data))
        except StateError as error:
            return self._replace(unreadable=str(error))


NOTHING_DECIDED: Final = Decided()


def encode_rollout(rollout: Rollout) -> bytes:
    """JSON."""
    return msgspec.json.encode(rollout)


def decode_rollout(data: bytes) -> Rollout:
    """Raises :class:`~schemas.errors.StateError` for anything else."""
    try:
        return msgspec.json.decode(data, type=Rollout)
    except (ValueError, RecursionError) as error:
        raise StateError(
            f"the newest record of the topic of models is no decision ({error}): a newer release has written "
            "it, or another program; start that release, or let `streamer model reset` write a decision that "
            "can be read: each worker then serves the bundle in its settings"
        ) from error


def loaded(before: Rollout, candidate: BundleReference, in_settings: BundleReference) -> Rollout:
    """``candidate`` goes on trial. ``in_settings``: what serves where nothing was decided yet."""
    serving = before.serving or in_settings
    if candidate.sha256 == serving.sha256:
        raise BundleError(f"{candidate} serves already: there is nothing to try.")
    return Rollout(
        revision=before.revision + 1,
        since=before.since,
        serving=serving,
        candidate=candidate,
        previous=before.previous,
    )


def promoted(before: Rollout) -> Rollout:
    """The candidate serves from now on."""
    if before.candidate is None:
        raise BundleError("no bundle is on trial: `streamer model load DIR` puts one there.")
    now = before.revision + 1
    return Rollout(revision=now, since=now, serving=before.candidate, previous=before.serving)


def rolled_back(before: Rollout) -> Rollout:
    """What served before serves again, and a trial ends."""
    if before.previous is None:
        raise BundleError(
            "no other bundle has served before, so there is nothing to roll back to; `streamer model drop` "
            "takes away the one on trial."
        )
    now = before.revision + 1
    return Rollout(revision=now, since=now, serving=before.previous, previous=before.serving)


def dropped(before: Rollout) -> Rollout:
    """The trial ends, and nothing else changes."""
    if before.candidate is None:
        raise BundleError("no bundle is on trial: there is nothing to drop.")
    return msgspec.structs.replace(before, revision=before.revision + 1, candidate=None)


def reset(now_ms: int) -> Rollout:
    """Each worker serves the bundle in its settings, from its next start on, whatever was decided before."""
    return Rollout(revision=now_ms, since=now_ms)
