"""The job that every peer does: an event in, the user's state and score out. Only the ways there differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.event import Event
from schemas.parts import Evidence, ModelReference
from schemas.score import Score
from schemas.timestamps import format_timestamp
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_score
from streamer.bench.peers.full_graph import FullGraph, PeerState, decode_peer_state
from streamer.core.history.token import tokenise
from streamer.inference.bundle import load_bundle


class PeerOptions(msgspec.Struct, frozen=True):
    """What a peer's process is told, as JSON, in its only argument. ``directory``: for its local state."""

    bootstrap: str
    group: str
    events_topic: str
    scores_topic: str
    changelog_topic: str
    partitions: int
    bundle: str
    directory: str


def options_from(arguments: Sequence[str]) -> PeerOptions:
    """The options in a process's arguments."""
    return msgspec.json.decode(arguments[1], type=PeerOptions)


class Arrived(NamedTuple):
    """A record of the events topic."""

    value: bytes
    partition: int
    offset: int
    timestamp_ms: int


def is_state(value: bytes) -> bool:
    """Whether a record is no event but a user's past, with which the benchmark begins."""
    return not value.startswith(b"{")


class Job:
    """Decodes, scores by the full graph, and words the score as the contract has it."""

    def __init__(self, options: PeerOptions) -> None:
        bundle = load_bundle(Path(options.bundle))
        self._graph = FullGraph(bundle)
        self._topic = options.events_topic
        self._horizon_days = bundle.manifest.horizon_days
        self._model = ModelReference(bundle.manifest.name, bundle.manifest.version, bundle.sha256)

    def score(self, stored: bytes, arrived: Arrived) -> tuple[bytes, bytes]:
        """The user's state and score after one event."""
        state = decode_peer_state(stored)
        event = self.event(arrived)
        (risk,) = self._graph.score([state], [tokenise(event)])
        return state.encode(), self._message(event, risk, arrived)

    def score_many(
        self, states: Sequence[PeerState], events: Sequence[Event], arrived: Sequence[Arrived]
    ) -> list[bytes]:
        """Scores of different users, whose states are updated."""
        risks = self._graph.score(states, [tokenise(event) for event in events])
        return [self._message(*each) for each in zip(events, risks, arrived, strict=True)]

    def event(self, arrived: Arrived) -> Event:
        """The event in a record; the benchmark sends none that is malformed or skipped."""
        event = decode_event(arrived.value, None, arrived.timestamp_ms)
        assert isinstance(event, Event)
        return event

    def _message(self, event: Event, risk: float, arrived: Arrived) -> bytes:
        at = format_timestamp(event.timestamp)
        score = Score(
            user_id=event.user_id,
            scored_at=at,
            last_event_at=at,
            risk=round(risk, 6),
            horizon_days=self._horizon_days,
            model=self._model,
            evidence=Evidence(self._topic, arrived.partition, arrived.offset),
        )
        return encode_score(score)
