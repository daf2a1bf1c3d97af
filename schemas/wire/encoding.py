"""Messages to bytes: the same message always gives the same bytes.

Fields are written in the order of the structs, floats as the shortest text that reads back as the same
number, so a replay's output can be compared byte for byte.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.alert import Alert
from schemas.decision import DecisionMessage
from schemas.erasure import ErasureRequest
from schemas.event import Event, Item
from schemas.score import Score
from schemas.timestamps import format_timestamp

Headers = tuple[tuple[str, bytes | None], ...]
"""Of a Kafka record; a value that is ``None`` is null on the wire."""

JSON_HEADERS: Final[Headers] = (("content-type", b"application/json"),)
_CLOUD_EVENT: Final = b"application/cloudevents+json; charset=UTF-8"

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class _EventText(msgspec.Struct, omit_defaults=True, gc=False):
    """An event as it is written: the time as text, empty parts left out."""

    event_id: str
    user_id: str
    type: str
    timestamp: str
    items: tuple[Item, ...] = ()
    value: float | None = None
    currency: str | None = None
    duration_ms: float | None = None
    rating: float | None = None
    text: str | None = None
    query: str | None = None
    session_id: str | None = None


def encode_event(event: Event) -> bytes:
    """An event as JSON, with its time as RFC 3339 text; unknown fields are gone since decoding."""
    return _ENCODER.encode(
        _EventText(
            event.event_id,
            event.user_id,
            event.type,
            format_timestamp(event.timestamp),
            event.items,
            event.value,
            event.currency,
            event.duration_ms,
            event.rating,
            event.text,
            event.query,
            event.session_id,
        )
    )


def encode_alert(alert: Alert) -> bytes:
    """An alert as CloudEvents structured JSON; send it with ``alert_headers``."""
    return _ENCODER.encode(alert)


def alert_headers(alert: Alert) -> Headers:
    """The Kafka headers of an alert: structured mode, with ``ce_`` copies of the attributes.

    CloudEvents 1.0, Kafka protocol binding 3.3: the content type selects the mode, copies are allowed.
    """
    return (
        ("content-type", _CLOUD_EVENT),
        ("ce_specversion", alert.specversion.encode()),
        ("ce_id", alert.id.encode()),
        ("ce_source", alert.source.encode()),
        ("ce_type", alert.type.encode()),
        ("ce_subject", alert.subject.encode()),
        ("ce_time", alert.time.encode()),
    )


def encode_score(score: Score) -> bytes:
    """A score as JSON; send it with ``JSON_HEADERS``."""
    return _ENCODER.encode(score)


def encode_decision(decision: DecisionMessage) -> bytes:
    """A decision as JSON; send it with ``JSON_HEADERS``."""
    return _ENCODER.encode(decision)


def encode_erasure(request: ErasureRequest) -> bytes:
    """An erasure request as JSON; send it with ``JSON_HEADERS``."""
    return _ENCODER.encode(request)
