"""Users with a past: full rings and all that goes with them, made by the core that also serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.bundle.manifest import Manifest
from streamer.bench.input.shop import START_MS, event_hashes, histories, user_id
from streamer.bench.peers.full_graph import PeerState
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition, Rules
from streamer.core.history.aggregates import empty, fold
from streamer.core.history.token import TokenArray
from streamer.core.user_state import UserState, encode_state
from streamer.inference.bundle import Bundle
from streamer.inference.risk_model import OnnxRiskModel
from streamer.kafka.publishing import KeyedRecord
from streamer.policy.file import load_policy

BEFORE_RING: Final = 33
"""Tokens that have left the ring of each prepared user."""

_AT_ONCE: Final = 1_024
_NEVER_DUE_MS: Final = 1 << 60


@dataclass(frozen=True)
class Prepared:
    """States of different histories. More users than histories share them, but for their events' hashes.

    Users whose numbers are close never share one, so neither do, save by chance, two of a transaction.
    """

    states: list[UserState]
    tokens: TokenArray

    def worker_records(self, users: int, seed: int) -> Iterator[KeyedRecord]:
        """Key, stored state and time for each of ``users``, as the worker's changelog holds them."""
        for number, state, ring in self._users(users, seed):
            state.ring = ring
            yield user_id(number).encode(), encode_state(state), START_MS

    def peer_records(self, users: int, seed: int) -> Iterator[KeyedRecord]:
        """The same users as the peers keep them: the ring and the running aggregates."""
        for number, state, ring in self._users(users, seed):
            kept = PeerState(ring, state.running, state.time_before_ring, state.placed)
            yield user_id(number).encode(), kept.encode(), START_MS

    def _users(self, users: int, seed: int) -> Iterator[tuple[int, UserState, bytes]]:
        rng = np.random.default_rng(seed)
        for first in range(0, users, _AT_ONCE):
            numbers = np.arange(first, min(first + _AT_ONCE, users))
            chosen = numbers % len(self.states)
            rings = self.tokens[chosen]
            rings["event"] = event_hashes(rings.shape, rng)
            for number, of, ring in zip(numbers.tolist(), chosen.tolist(), rings, strict=True):
                yield number, self.states[of], ring.tobytes()


def prepare(bundle: Bundle, count: int, disorder_s: float, seed: int) -> Iterator[Prepared]:
    """``count`` users with full rings, a thousand at a time; the core applied the newest event of each."""
    capacity = bundle.manifest.exact_tokens
    rng = np.random.default_rng(seed)
    model = OnnxRiskModel(bundle, arena_users=_AT_ONCE)
    rules = rules_of(bundle.manifest, disorder_s)
    for first in range(0, count, _AT_ONCE):
        tokens = histories(min(_AT_ONCE, count - first), BEFORE_RING + capacity, rng)
        states = _after_newest(tokens, capacity, Partition(0, rules, model), model)
        yield Prepared(states, tokens[:, -capacity:].copy())
        model.forget_all()


def joined(parts: Sequence[Prepared]) -> Prepared:
    """All of them together; at least one."""
    return Prepared(
        [state for part in parts for state in part.states], np.concatenate([part.tokens for part in parts])
    )


def rules_of(manifest: Manifest, disorder_s: float) -> Rules:
    """The rules of a worker without a policy file: states made under them need no second look."""
    policy = load_policy(None, manifest, disorder_s)
    return Rules(policy, manifest.churn_definition.types == "any", partitions=1)


def _after_newest(
    tokens: TokenArray, capacity: int, partition: Partition, model: OnnxRiskModel
) -> list[UserState]:
    left, held = tokens[:, : -capacity - 1], tokens[:, -capacity - 1 : -1]
    base = fold(empty(len(tokens)), list(left), model.calendar)
    running = fold(base, list(held), model.calendar)
    before = {
        str(row): UserState(
            ring=held[row].tobytes(),
            base=base[row].tobytes(),
            running=running[row].tobytes(),
            time_before_ring=float(left["time"][row, -1]),
            placed=tokens.shape[1] - 1,
            deadline_ms=_NEVER_DUE_MS,
        )
        for row in range(len(tokens))
    }
    newest = tokens[:, -1]
    events = [
        PartitionEvent(offset, int(newest["time"][row]), str(row), newest[row].tobytes())
        for offset, row in enumerate(np.argsort(newest["time"]).tolist())
    ]
    after = partition.apply(before.get, events, None).states
    return [state for row in before if (state := after[row]) is not None]
