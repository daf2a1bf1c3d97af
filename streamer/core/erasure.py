"""Forgetting a user: what is said at last, and how events of the time before are known again.

What stays of a user is a mark: a keyed hash of the id, and up to when the user's events are to be refused.
Without the key nobody can tell whose mark it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple

import msgspec

from schemas.errors import StateError
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.lifecycle import Situation, resolve
from streamer.core.history.calendar import Calendar
from streamer.core.timing.clock import NEVER_MS
from streamer.core.user_state import UserState

MARK_PREFIX: Final = b"\xfferased"
"""Table keys of marks begin so; no user has such a key, since user ids are UTF-8."""

_FINGERPRINT_BYTES: Final = 4
_HASH_BYTES: Final = 16

Read = Callable[[bytes], bytes | None]


class Erasure(NamedTuple):
    """Forget ``user_id``, and refuse events up to ``requested_ms``, epoch milliseconds."""

    user_id: str
    requested_ms: int


class Refused(NamedTuple):
    """Events to be kept out: none later than ``until_ms``, and of those all that ``covers`` says.

    ``covers`` is asked with a user and the event's time, epoch milliseconds.
    """

    until_ms: int
    covers: Callable[[str, int], bool]


def _nothing(user_id: str, event_ms: int) -> bool:  # noqa: ARG001 - of :class:`Refused`
    return False


NOTHING_REFUSED: Final = Refused(NEVER_MS, _nothing)


class ErasedUsers:
    """The marks of one partition. ``keys``: the one that new marks are made with, then any former ones."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_fingerprint(key): key for key in keys}
        self._newest_ms = NEVER_MS

    def adopt(self, mark: bytes, stored: bytes) -> None:
        """Take a mark over from the table; raises :class:`StateError` for one of a key that is not known."""
        at = len(MARK_PREFIX)
        if mark[at : at + _FINGERPRINT_BYTES] not in self._keys:
            raise StateError(
                "users were erased under another STREAMER_ERASURE_SECRET, and their late events could not be "
                "refused: start the worker with the secret that it had (docs/privacy.md says what to do if "
                "it is lost)"
            )
        self._newest_ms = max(self._newest_ms, _decode_time(stored))

    def marks(self, erasures: Iterable[Erasure], read: Read) -> dict[bytes, bytes]:
        """Table entries that keep events of these users up to their requests out from now on."""
        key = next(iter(self._keys.values()))
        latest_ms: dict[bytes, int] = {}
        for user_id, requested_ms in erasures:
            mark = _mark(key, user_id)
            before_ms = latest_ms[mark] if mark in latest_ms else self._read(mark, read)
            latest_ms[mark] = max(before_ms, requested_ms)
            self._newest_ms = max(self._newest_ms, requested_ms)
        return {mark: msgspec.msgpack.encode(time_ms) for mark, time_ms in latest_ms.items()}

    def refused(self, read: Read) -> Refused:
        """The events that their users wanted forgotten; nearly all are newer than every request."""

        def covers(user_id: str, event_ms: int) -> bool:
            return any(event_ms <= self._read(_mark(key, user_id), read) for key in self._keys.values())

        return Refused(self._newest_ms, covers)

    def _read(self, mark: bytes, read: Read) -> int:
        stored = read(mark)
        return NEVER_MS if stored is None else _decode_time(stored)


def is_mark(key: bytes) -> bool:
    """Whether a table key is that of a mark."""
    return key.startswith(MARK_PREFIX)


def deployment_key(application_id: str) -> bytes:
    """The key of a deployment that has no secret: whoever knows its name can try ids out."""
    return sha256(b"churn-streamer erasure\n" + application_id.encode()).digest()


def last_decisions(
    user_id: str, state: UserState, requested_ms: int, partition: int, clock_ms: int, calendar: Calendar
) -> list[Decision]:
    """What has to be said of a user before everything is forgotten: that the alert which was sent is over.

    Its moment is that of the request, but not ahead of the partition's clock.
    """
    now_ms = min(requested_ms, clock_ms)
    situation = Situation(
        user_id=user_id,
        partition=partition,
        offset=state.offset,
        now_ms=now_ms,
        last_ms=state.last_ms,
        risk=state.risk,
        signal=state.signal,
        active_days=state.active_days,
        reason="erased",
        calendar=calendar,
        open_ms=now_ms,
    )
    return [decision for decision in resolve(state.alert_state, situation) if decision.action == "sent"]


def _mark(key: bytes, user_id: str) -> bytes:
    return MARK_PREFIX + _fingerprint(key) + digest(key, user_id.encode(), "sha256")[:_HASH_BYTES]


def _fingerprint(key: bytes) -> bytes:
    return sha256(b"fingerprint\n" + key).digest()[:_FINGERPRINT_BYTES]


def _decode_time(stored: bytes) -> int:
    try:
        return msgspec.msgpack.decode(stored, type=int)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"a stored mark of an erased user is damaged ({error}); delete the local store so that it is "
            "recovered from the changelog"
        ) from error
