"""All faults of a campaign."""

from __future__ import annotations

from tests.faults.inject import workers
from tests.faults.inject.field import Fault

FAULTS: tuple[Fault, ...] = workers.FAULTS
