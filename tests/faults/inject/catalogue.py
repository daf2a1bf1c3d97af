"""All faults of a campaign."""

from __future__ import annotations

from tests.faults.inject import broker, inside, network, outputs, stores, workers
from tests.faults.inject.field import Fault

FAULTS: tuple[Fault, ...] = (
    *workers.FAULTS,
    *broker.FAULTS,
    *network.FAULTS,
    *stores.FAULTS,
    *inside.FAULTS,
    *outputs.FAULTS,
)
