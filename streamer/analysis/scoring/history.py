"""A history of events as the records that ``streamer replay`` would have put on the events topic."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.event import Event
from schemas.wire.encoding import encode_event
from streamer.worker.stage.protocol import Record


def records_of(events: Iterable[Event], before_ms: int | None = None) -> list[Record]:
    """The events by time, those of one time in the order given; each stamped with its own time.

    ``before_ms``: only events earlier than this (epoch ms). Offsets count from 0, as on one partition.
    """
    chosen = [
        (event.timestamp, event.user_id.encode(), encode_event(event))
        for event in events
        if before_ms is None or event.timestamp < before_ms
    ]
    chosen.sort(key=lambda record: record[0])
    return [Record(offset, time_ms, key, value) for offset, (time_ms, key, value) in enumerate(chosen)]
