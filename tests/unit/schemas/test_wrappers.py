"""What pipelines put around a record is named in its dead letter; a byte order mark is passed over."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from schemas.errors import MalformedEventError
from schemas.event import Event
from schemas.vendors import VENDORS
from schemas.wire.decoding import EventFormat, decode_event
from schemas.wire.erasure_decoding import decode_erasure

NOW_MS: Final = 1_710_000_000_000
EVENT: Final = {"event_id": "é", "user_id": "u", "type": "view", "timestamp": NOW_MS}
CHANGE: Final = {"before": None, "after": EVENT, "source": {"name": "shop"}, "op": "c", "ts_ms": NOW_MS}
WRAPPED: Final[list[tuple[str, bytes, str, str]]] = [
    ("Connect", json.dumps({"schema": None, "payload": EVENT}).encode(), "missing-field", "schemas.enable"),
    ("Debezium", json.dumps(CHANGE).encode(), "missing-field", "ExtractNewRecordState"),
    ("id 258 of a Confluent", b"\0\0\0\x01\x02" + json.dumps(EVENT).encode(), "not-json", "JsonConverter"),
    ("id 258 of a Confluent", b"\0\0\0\x01\x02\x06\xff\xfe", "not-utf8", "JsonConverter"),
]


@pytest.mark.parametrize("event_format", ["contract", *VENDORS])
@pytest.mark.parametrize(("found", "value", "error_class", "advice"), WRAPPED)
def test_what_is_around_a_record_is_named(
    found: str, value: bytes, error_class: str, advice: str, event_format: EventFormat
) -> None:
    with pytest.raises(MalformedEventError, match=found) as raised:
        decode_event(value, None, NOW_MS, event_format)
    assert advice in str(raised.value)
    if event_format == "contract":
        assert raised.value.error_class == error_class


@pytest.mark.parametrize("value", [b"\0", b'{"payload": 1, "after": 2}', b'{"schema": 1, "payload": '])
def test_what_is_around_nothing_known_is_told_as_it_was(value: bytes) -> None:
    with pytest.raises(MalformedEventError, match=r"JSON|field"):
        decode_event(value, None, NOW_MS)


def test_a_byte_order_mark_is_passed_over() -> None:
    plain: Any = decode_event(json.dumps(EVENT).encode(), None, NOW_MS)
    assert isinstance(plain, Event)
    assert decode_event(b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), None, NOW_MS) == plain
    with pytest.raises(MalformedEventError):
        decode_event(b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), "application/msgpack", NOW_MS)
    request = b'\xef\xbb\xbf{"user_id":"u","requested_at":"2017-03-02T18:04:11Z","request_id":"r"}'
    assert decode_erasure(request, NOW_MS).user_id == "u"


def test_a_request_of_any_size_is_not_decoded() -> None:
    with pytest.raises(MalformedEventError, match="bytes; the most is"):
        decode_erasure(b'"' + b"u" * 100_000 + b'"', NOW_MS)
