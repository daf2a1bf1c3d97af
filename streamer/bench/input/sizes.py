"""How large a benchmark is. Every number here is in its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

WorkloadName = Literal["hot", "session", "cold"]
WORKLOADS: Final[tuple[WorkloadName, ...]] = get_args(WorkloadName)

PeerName = Literal["faust", "quix", "aiokafka_full"]
PEERS: Final[tuple[PeerName, ...]] = get_args(PeerName)


@dataclass(frozen=True)
class WorkloadSize:
    """``arena_users``: whose transformer cache the worker may hold. ``events``: a round gives the worker.

    ``peer_users``: users of each peer, fewer than ``users`` where a peer would never see the rest.
    """

    users: int
    arena_users: int
    events: int
    peer_users: int


@dataclass(frozen=True)
class Sizes:
    """``peer_events``: events a round. ``histories``: different ones among the users.

    ``at_once``: users in the middle of a burst at any moment. ``latency_s``: seconds of half load.
    ``floor_steps``: events that the step graph alone takes a round.
    """

    workloads: Mapping[WorkloadName, WorkloadSize]
    peer_events: Mapping[PeerName, int]
    rounds: int
    histories: int
    latency_s: float
    floor_steps: int
    partitions: int = 4
    at_once: int = 1024


QUICK: Final = Sizes(
    workloads={
        "hot": WorkloadSize(users=10_000, arena_users=16_384, events=40_000, peer_users=1_000),
        "session": WorkloadSize(users=65_536, arena_users=4_096, events=40_000, peer_users=4_096),
        "cold": WorkloadSize(users=65_536, arena_users=4_096, events=10_000, peer_users=16_384),
    },
    peer_events={"faust": 1_500, "quix": 1_500, "aiokafka_full": 4_000},
    rounds=3,
    histories=8_192,
    latency_s=5.0,
    floor_steps=30_000,
)

FULL: Final = Sizes(
    workloads={
        "hot": WorkloadSize(users=10_000, arena_users=16_384, events=120_000, peer_users=10_000),
        "session": WorkloadSize(users=1_000_000, arena_users=65_536, events=120_000, peer_users=16_384),
        "cold": WorkloadSize(users=200_000, arena_users=4_096, events=30_000, peer_users=50_000),
    },
    peer_events={"faust": 4_000, "quix": 4_000, "aiokafka_full": 12_000},
    rounds=5,
    histories=32_768,
    latency_s=20.0,
    floor_steps=100_000,
)
