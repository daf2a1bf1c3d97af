"""What there is to see at one moment: the frame that the terminal and the page both draw."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.alert import Alert, Band
from schemas.timestamps import parse_timestamp
from streamer.demo.judgement.households import Households
from streamer.demo.wording.alerts import Tone, alert_in_words, tone_and_label

Phase = Literal["starting", "replaying", "judging", "done"]


class AlertLine(msgspec.Struct, frozen=True):
    """One revision of an alert, ready to be shown: ``label`` is what it comes to, ``tone`` its colour."""

    alert_id: str
    user_id: str
    kind: str
    tone: Tone
    label: str
    at_ms: int
    words: str


class ChartPoint(msgspec.Struct, frozen=True, array_like=True):
    """Active households at one moment of event time, without an open alert and by its band."""

    at_ms: int
    calm: int
    watch: int
    high: int
    critical: int


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The demonstration at one moment. ``doing`` says in words what it is busy with.

    ``committed`` of ``total`` events have gone through the worker, at ``events_per_s``, the mean of the
    last seconds. ``alerts`` came since the frame before, at most a handful, ascending by their moment; none
    is later than ``clock_ms``. A ``point`` at the moment of the one before takes its place.
    """

    phase: Phase
    doing: str
    clock_ms: int | None
    total: int
    published: int
    committed: int
    events_per_s: float
    users: int
    scores: int
    open: dict[Band, int]
    raised: int
    escalated: int
    resolved: int
    dead_letters: int
    point: ChartPoint | None
    alerts: list[AlertLine]


def alert_line(alert: Alert, households: Households) -> AlertLine:
    """An alert's revision in words; the household's habit is what it was at that moment."""
    at_ms = parse_timestamp(alert.time)
    tone, label = tone_and_label(alert)
    gap_days = households.usual_gap_days(alert.data.user_id, at_ms)
    return AlertLine(
        alert.data.alert_id,
        alert.data.user_id,
        alert.type.split(".")[2],
        tone,
        label,
        at_ms,
        alert_in_words(alert, gap_days),
    )
