"""All faults of a campaign: those of its trial in event-time mode, then those of its trial in live mode."""

from __future__ import annotations

from tests.faults.inject import broker, erasure, inside, models, network, outputs, stores, workers
from tests.faults.inject.field import Fault

EVENT_TIME: tuple[Fault, ...] = (
    *workers.FAULTS,
    *broker.FAULTS,
    *network.FAULTS,
    *stores.FAULTS,
    *inside.FAULTS,
    *models.FAULTS,
    *erasure.FAULTS,
    *outputs.FAULTS,
)

_LIVE_TIMES = {
    "kill": 3,
    "terminate": 2,
    "freeze": 2,
    "join-and-leave": 1,
    "broker-kill": 1,
    "network-cut": 1,
}

LIVE: tuple[Fault, ...] = tuple(
    fault._replace(kind=fault.kind._replace(name=f"live-{fault.kind.name}", times=times))
    for fault in EVENT_TIME
    if (times := _LIVE_TIMES.get(fault.kind.name))
)
