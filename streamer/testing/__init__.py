"""A worker without Kafka, for tests of a policy, a mapping of events or an insight.

:class:`PartitionDriver` is one partition of the core: events in, decisions out. Time is the events' own, so a
year of silence passes at once:

>>> from schemas.event import Event
>>> from schemas.units import DAY_MS
>>> from streamer.core.alerts.policy import Policy
>>> from streamer.testing import FixedModel, PartitionDriver, partition_events
>>> policy = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=28 * DAY_MS, hysteresis=0.05)
>>> driver = PartitionDriver.of(policy, FixedModel())
>>> visits = [Event(f"e{day}", "u7", "purchase", day * DAY_MS, value=20.0) for day in range(0, 40, 4)]
>>> somebody_else = Event("x", "u8", "view", 60 * DAY_MS)
>>> decisions = driver.process(partition_events([*visits, somebody_else]))
>>> [(d.user_id, d.transition, d.reason) for d in decisions if d.action == "sent"]
[('u7', 'raised', 'silence'), ('u7', 'escalated', 'silence')]

What is committed lies in ``driver.table``, as bytes; :meth:`PartitionDriver.recover` starts anew from it, as
after a crash. :class:`StageDriver` is the whole stage of a worker: records in as a shop sends them, messages
out as consumers read them.
"""

from streamer.testing.fixed_model import FixedDeclineModel, FixedModel
from streamer.testing.partition_driver import PartitionDriver, Snapshot, partition_events
from streamer.testing.stage_driver import ProcessedBatch, StageDriver

__all__ = [
    "FixedDeclineModel",
    "FixedModel",
    "PartitionDriver",
    "ProcessedBatch",
    "Snapshot",
    "StageDriver",
    "partition_events",
]
