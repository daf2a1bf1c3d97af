"""Each kind of malformed record has its own class, and its neighbour that is well-formed is accepted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from schemas.errors import MalformedEventError
from schemas.event import MAX_EVENT_BYTES, Event, Item, Skipped
from schemas.units import DAY_MS
from schemas.wire.decoding import decode_event
from schemas.wire.wire_format import content_type_of

RECORD_MS = 1_488_500_000_000
FIELDS: dict[str, Any] = {
    "event_id": "e1",
    "user_id": "u7",
    "type": "purchase",
    "timestamp": "2017-03-02T18:04:11Z",
}
TIMESTAMP_MS = 1_488_477_851_000
BASE = Event("e1", "u7", "purchase", TIMESTAMP_MS)


def as_json(**changes: Any) -> bytes:
    return json.dumps({**FIELDS, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in FIELDS.items() if key != name}).encode()


def refusal(value: bytes | None, content_type: str | None = None) -> str:
    with pytest.raises(MalformedEventError) as caught:
        decode_event(value, content_type, RECORD_MS)
    return caught.value.error_class


@pytest.mark.parametrize(
    ("value", "error_class"),
    [
        (None, "null-value"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (as_json() + b"{}", "not-json"),
        (as_json().replace(b'"u7"', b"NaN"), "not-json"),
        (as_json(value=1)[:-2] + b"NaN}", "not-json"),
        (as_json(value=1)[:-2] + b"Infinity}", "not-json"),
        (as_json().replace(b"u7", b"u\\ud800"), "not-json"),
        (as_json().replace(b"u7", b"u\\ud800\\u0041"), "not-json"),
        (as_json().replace(b"u7", b"u\\udc00"), "not-json"),
        (as_json(extra="\ud83d"), "not-json"),
        (as_json().replace(b"u7", b"u\xff"), "not-utf8"),
        (as_json(extra="?").replace(b"?", b"\xff"), "not-utf8"),
        (as_json(extra="?").replace(b"?", b"\xed\xa0\x80"), "not-utf8"),
        (b"[]", "not-an-object"),
        (b"null", "not-an-object"),
        (b'"event"', "not-an-object"),
        (b"17", "not-an-object"),
        (without("event_id"), "missing-field"),
        (without("user_id"), "missing-field"),
        (without("type"), "missing-field"),
        (without("timestamp"), "missing-field"),
        (as_json(user_id=7), "wrong-type"),
        (as_json(user_id=None), "wrong-type"),
        (as_json(type=None), "wrong-type"),
        (as_json(items={}), "wrong-type"),
        (as_json(items=[7]), "wrong-type"),
        (as_json(items=[{"item_id": 7}]), "wrong-type"),
        (as_json(value="7.98"), "wrong-type"),
        (as_json(value=True), "wrong-type"),
        (as_json(timestamp=True), "wrong-type"),
        (as_json(timestamp=1488477851000.5), "wrong-type"),
        (as_json(timestamp=None), "wrong-type"),
        (as_json(timestamp="2017-03-02T18:04:11"), "bad-timestamp"),
        (as_json(timestamp="2017-03-02"), "bad-timestamp"),
        (as_json(timestamp="yesterday"), "bad-timestamp"),
        (as_json(timestamp="2017-02-30T00:00:00Z"), "bad-timestamp"),
        (as_json(timestamp="1989-12-31T23:59:59.999Z"), "timestamp-too-early"),
        (as_json(timestamp="1990-01-01T00:00:00+00:01"), "timestamp-too-early"),
        (as_json(timestamp=1488477851), "timestamp-too-early"),
        (as_json(timestamp=-(10**30)), "timestamp-too-early"),
        (as_json(timestamp=RECORD_MS + DAY_MS + 1), "timestamp-in-future"),
        (as_json(timestamp=10**30), "timestamp-in-future"),
        (as_json(event_id=""), "bad-id"),
        (as_json(user_id=""), "bad-id"),
        (as_json(user_id="u" * 257), "bad-id"),
        (as_json(item_id=""), "bad-id"),
        (as_json(items=[{"item_id": "i" * 257}]), "bad-id"),
        (as_json(session_id=""), "bad-id"),
        (as_json(user_id="u\0"), "bad-id"),
        (as_json(event_id="\0"), "bad-id"),
        (as_json(session_id="s\0"), "bad-id"),
        (as_json(items=[{"item_id": "a"}, {"item_id": "\0"}]), "bad-id"),
        (as_json(category="c" * 257), "bad-text"),
        (as_json(value=1e16), "number-out-of-range"),
        (as_json(value=1)[:-2] + b"1e999}", "number-out-of-range"),
        (as_json(value=1)[:-2] + b"9" * 400 + b"}", "number-out-of-range"),
        (as_json(duration_ms=-1), "number-out-of-range"),
        (as_json(extra=1)[:-2] + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
        (as_json(text="t" * MAX_EVENT_BYTES), "too-large"),
    ],
)
def test_json_that_is_refused(value: bytes | None, error_class: str) -> None:
    assert refusal(value) == error_class


@pytest.mark.parametrize(
    ("value", "error_class"),
    [
        (b"", "not-messagepack"),
        (b"\xc1", "not-messagepack"),
        (as_json(), "not-an-object"),
        (b"\x90", "not-an-object"),
        (b"\x81" + b"\x91" * 100_000, "wrong-type"),
        (msgspec.msgpack.encode({**FIELDS, "value": float("nan")}), "number-out-of-range"),
        (msgspec.msgpack.encode({**FIELDS, "value": float("-inf")}), "number-out-of-range"),
        (msgspec.msgpack.encode({**FIELDS, "items": [{"price": float("nan")}]}), "number-out-of-range"),
        (msgspec.msgpack.encode({**FIELDS, "user_id": b"u7"}), "wrong-type"),
        (msgspec.msgpack.encode({**FIELDS, "user_id": "u\0"}), "bad-id"),
        (msgspec.msgpack.encode({**FIELDS, 1: 2}), "wrong-type"),
        (msgspec.msgpack.encode(FIELDS) + b"\0", "not-messagepack"),
        (msgspec.msgpack.encode(FIELDS).replace(b"u7", b"u\xff"), "not-utf8"),
    ],
)
def test_message_pack_that_is_refused(value: bytes, error_class: str) -> None:
    assert refusal(value, "application/msgpack") == error_class


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/x-json", "json", "application/jsonx; a=b"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    assert refusal(as_json(), content_type) == "content-type"


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "Application/JSON; charset=utf-8", " application/json;charset=UTF-8"],
)
def test_json_content_types(content_type: str | None) -> None:
    assert decode_event(as_json(), content_type, RECORD_MS) == BASE


def test_message_pack_content_type_with_a_parameter() -> None:
    assert decode_event(msgspec.msgpack.encode(FIELDS), "application/msgpack; v=1", RECORD_MS) == BASE


@pytest.mark.parametrize(
    ("changes", "epoch_ms"),
    [
        ({"timestamp": TIMESTAMP_MS}, TIMESTAMP_MS),
        ({"timestamp": "2017-03-02T19:04:11+01:00"}, TIMESTAMP_MS),
        ({"timestamp": "2017-03-02T18:04:11.250999Z"}, TIMESTAMP_MS + 250),
        ({"timestamp": "1990-01-01T00:00:00Z"}, 631_152_000_000),
        ({"timestamp": RECORD_MS + DAY_MS}, RECORD_MS + DAY_MS),
    ],
)
def test_times_at_the_edge_are_accepted(changes: dict[str, Any], epoch_ms: int) -> None:
    event = decode_event(as_json(**changes), None, RECORD_MS)
    assert isinstance(event, Event)
    assert event.timestamp == epoch_ms


def test_the_longest_ids_count_characters_not_bytes() -> None:
    event = decode_event(as_json(user_id="ü" * 256), None, RECORD_MS)
    assert isinstance(event, Event)
    assert len(event.user_id) == 256


def test_an_event_of_exactly_one_mebibyte_is_accepted() -> None:
    padding = MAX_EVENT_BYTES - len(as_json(text=""))
    assert isinstance(decode_event(as_json(text="t" * padding), None, RECORD_MS), Event)


def test_one_item_at_the_top_level_becomes_an_item() -> None:
    event = decode_event(as_json(item_id="i1", category="dairy", price=3, quantity=-2), None, RECORD_MS)
    assert isinstance(event, Event)
    assert event.items == (Item("i1", "dairy", None, 3.0, -2.0),)


def test_items_count_before_the_top_level_item() -> None:
    event = decode_event(as_json(item_id="i1", items=[{"item_id": "i2"}]), None, RECORD_MS)
    assert isinstance(event, Event)
    assert event.items == (Item("i2"),)


def test_unknown_fields_of_items_are_counted() -> None:
    event = decode_event(as_json(items=[{"item_id": "i", "colour": 1}, {"sku": 2}], ip="x"), None, RECORD_MS)
    assert event == msgspec.structs.replace(BASE, items=(Item("i"), Item()), unknown_fields=3)


def test_an_unknown_type_is_skipped_whatever_its_other_fields_are() -> None:
    skipped = Skipped("unknown-type", "page_ping")
    assert decode_event(as_json(type="page_ping"), None, RECORD_MS) == skipped
    assert decode_event(as_json(type="page_ping", value={"x": 1}), None, RECORD_MS) == skipped


def test_a_type_that_names_its_user_is_not_told() -> None:
    event = as_json(user_id="anna@example.com", type="purchase of anna@example.com")
    assert decode_event(event, None, RECORD_MS) == Skipped("unknown-type")


def test_an_unknown_type_without_its_required_fields_is_malformed() -> None:
    assert refusal(b'{"type": "page_ping"}') == "missing-field"
    assert refusal(as_json(type="page_ping", timestamp=0)) == "timestamp-too-early"


def test_refusals_name_the_field_and_not_its_content() -> None:
    with pytest.raises(MalformedEventError, match=r"\$\.value") as caught:
        decode_event(as_json(value="a secret"), None, RECORD_MS)
    assert "secret" not in str(caught.value)


def test_the_last_content_type_header_counts() -> None:
    headers = [("content-type", b"text/plain"), ("trace", b"1"), ("content-type", b"application/msgpack")]
    assert content_type_of(headers) == "application/msgpack"
    assert content_type_of([("trace", b"1")]) is None
    assert refusal(as_json(), content_type_of([("content-type", b"\xff")])) == "content-type"
