"""Events as platforms document them, each with the event of the contract that it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from aiokafka import ConsumerRecord

from schemas.errors import MalformedEventError
from schemas.event import EVENT_TYPE_CODES, Event, Skipped
from schemas.topics import EVENTS
from schemas.vendors import VENDORS, Vendor, ga4, segment, snowplow
from schemas.wire.decoding import EventFormat, decode_event, event_of_fields
from streamer.data.files import read_events
from streamer.data.files.export import ExportCounts, export_records

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "vendors"
RECORD_MS: Final = 1_710_000_000_000


def cases() -> list[Any]:
    return [
        pytest.param(vendor, case, id=f"{vendor}: {case['name']}")
        for vendor in VENDORS
        for case in json.loads((FIXTURES / f"{vendor}.json").read_text())
    ]


def sample(vendor: Vendor, name: str) -> dict[str, Any]:
    found = (case["event"] for case in json.loads((FIXTURES / f"{vendor}.json").read_text()))
    return next(event for case, event in zip(cases_of(vendor), found, strict=True) if case == name)


def cases_of(vendor: Vendor) -> list[str]:
    return [case["name"] for case in json.loads((FIXTURES / f"{vendor}.json").read_text())]


def decoded(vendor: EventFormat, event: object) -> Event | Skipped:
    return decode_event(json.dumps(event).encode(), None, RECORD_MS, vendor)


def refusal(vendor: EventFormat, event: object) -> str:
    with pytest.raises(MalformedEventError) as caught:
        decoded(vendor, event)
    return caught.value.error_class


@pytest.mark.parametrize(("vendor", "case"), cases())
def test_an_event_of_a_platform_is_one_of_the_contract(vendor: Vendor, case: dict[str, Any]) -> None:
    found = decoded(vendor, case["event"])
    if "skipped" in case:
        assert isinstance(found, Skipped)
        assert found.reason == case["skipped"]
        return
    assert isinstance(found, Event)
    expected = event_of_fields({"event_id": found.event_id, **case["expected"]}, RECORD_MS)
    assert found == expected
    assert found.unknown_fields == 0


def test_every_mapped_type_is_one_of_the_contract() -> None:
    mapped = {*segment.TRACKED.values(), *snowplow.ACTIONS.values(), *ga4.EVENTS.values()}
    assert mapped <= set(EVENT_TYPE_CODES)


@pytest.mark.parametrize(
    ("vendor", "name", "changes", "error_class"),
    [
        ("segment", "product viewed", {"messageId": None}, "missing-field"),
        ("segment", "product viewed", {"timestamp": None, "receivedAt": None}, "missing-field"),
        ("segment", "product viewed", {"timestamp": "yesterday"}, "bad-timestamp"),
        ("segment", "product viewed", {"type": 7}, "wrong-type"),
        ("segment", "product viewed", {"userId": ["u"]}, "wrong-type"),
        ("segment", "product viewed", {"userId": "u\0"}, "bad-id"),
        ("segment", "product viewed", {"userId": "u" * 257}, "bad-id"),
        ("snowplow", "product view", {"event_id": None}, "missing-field"),
        ("snowplow", "product view", {"derived_tstamp": None, "collector_tstamp": None}, "missing-field"),
        ("snowplow", "product view", {"derived_tstamp": "2024-01-09 16:42:14.980"}, "bad-timestamp"),
        ("ga4", "row: view_item", {"event_timestamp": "soon"}, "bad-timestamp"),
        ("ga4", "row: view_item", {"event_timestamp": None}, "missing-field"),
        ("ga4", "row: view_item", {"event_timestamp": 1_700_000_000}, "timestamp-too-early"),
        ("ga4", "row: view_item", {"event_name": None}, "missing-field"),
        ("ga4", "request: search", {"events": []}, "several-events"),
        ("ga4", "request: search", {"events": [{"name": "search"}] * 2}, "several-events"),
    ],
)
def test_what_a_platform_would_not_send_is_refused(
    vendor: Vendor, name: str, changes: dict[str, Any], error_class: str
) -> None:
    assert refusal(vendor, {**sample(vendor, name), **changes}) == error_class


def test_a_ga4_event_has_the_same_id_whenever_it_is_sent() -> None:
    row = sample("ga4", "row: view_item")
    first, again = decoded("ga4", row), decoded("ga4", {**row, "is_active_user": False})
    other = decoded("ga4", {**row, "batch_event_index": "2"})
    assert isinstance(first, Event)
    assert first == again
    assert isinstance(other, Event)
    assert first.event_id != other.event_id


def test_a_ga4_request_without_a_time_happened_when_its_record_was_made() -> None:
    request = {**sample("ga4", "request: search"), "timestamp_micros": None}
    found = decoded("ga4", request)
    assert isinstance(found, Event)
    assert found.timestamp == RECORD_MS
    later = decode_event(json.dumps(request).encode(), None, RECORD_MS + 1, "ga4")
    assert isinstance(later, Event)
    assert later.event_id != found.event_id


def test_an_exported_topic_of_a_platform_is_a_file_of_events_of_the_contract(tmp_path: Path) -> None:
    sent = [sample("snowplow", name) for name in ("product view", "transaction", "a guest", "page ping")]
    records = [
        ConsumerRecord("t", 0, offset, RECORD_MS, 0, None, json.dumps(event).encode(), None, 0, 0, ())
        for offset, event in enumerate(sent)
    ]
    counts = ExportCounts()
    export_records(tmp_path / "events.ndjson", EVENTS, records, counts, "snowplow")
    assert [event.type for event in read_events(tmp_path / "events.ndjson")] == ["view", "purchase"]
    assert counts.left_out == {"anonymous": 1, "unknown-type": 1}


def test_platforms_send_json_only() -> None:
    packed = msgspec.msgpack.encode(sample("segment", "product viewed"))
    with pytest.raises(MalformedEventError) as caught:
        decode_event(packed, "application/msgpack", RECORD_MS, "segment")
    assert caught.value.error_class == "content-type"


@pytest.mark.parametrize(
    ("vendor", "name", "changes"),
    [
        ("segment", "product viewed", {"timestamp": "a secret"}),
        ("snowplow", "product view", {"derived_tstamp": "a secret"}),
        ("ga4", "row: view_item", {"event_timestamp": "a secret"}),
    ],
)
def test_refusals_do_not_show_what_was_sent(vendor: Vendor, name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedEventError) as caught:
        decoded(vendor, {**sample(vendor, name), **changes})
    assert "secret" not in str(caught.value)


def test_a_number_beyond_all_bounds_is_refused() -> None:
    value = json.dumps(sample("ga4", "row: view_item")).replace('"1700000000123456"', "1" * 5000)
    with pytest.raises(MalformedEventError):
        decode_event(value.encode(), None, RECORD_MS, "ga4")


@pytest.mark.parametrize("name", ["order completed", "Order_Completed", "ORDER-COMPLETED", "Completed Order"])
def test_segments_names_are_known_in_every_spelling(name: str) -> None:
    found = decoded("segment", {**sample("segment", "order completed"), "event": name})
    assert found == decoded("segment", sample("segment", "order completed"))


@pytest.mark.parametrize(
    ("written", "value", "unreadable"),
    [
        ("$21.00", 21.0, ()),
        ("1,299.00", 1299.0, ()),
        ("-€1,299.50", -1299.5, ()),
        ("", None, ()),
        (None, None, ()),
        (False, None, ()),
        ("1,5", None, ("value",)),
        ("1_0", None, ("value",)),
        ("NaN", None, ("value",)),
        ("null", None, ("value",)),
        ("cheap", None, ("value",)),
        ("1e300", None, ("value",)),
        (10**400, None, ("value",)),
        (["21"], None, ("value",)),
    ],
)
def test_a_purchase_counts_however_its_amount_is_written(
    written: object, value: float | None, unreadable: tuple[str, ...]
) -> None:
    call = {**sample("segment", "order completed"), "properties": {"revenue": written}}
    found = decoded("segment", call)
    assert isinstance(found, Event)
    assert (found.type, found.value, found.unreadable) == ("purchase", value, unreadable)


@pytest.mark.parametrize(
    ("written", "category"),
    [(21, "21"), (2.5, "2.5"), ([], None), ([None, "a", "b"], "a"), (False, None), ({}, None), ("a", "a")],
)
def test_a_category_is_the_text_that_can_be_made_of_it(written: object, category: str | None) -> None:
    products = {"0": {"product_id": "p", "category": written}, "2": {"product_id": "q"}}
    call = {**sample("segment", "order completed"), "properties": {"products": products}}
    found = decoded("segment", call)
    assert isinstance(found, Event)
    assert [(item.item_id, item.category) for item in found.items] == [("p", category), ("q", None)]


@pytest.mark.parametrize("empty", [[], {}, None])
def test_an_empty_map_may_be_written_as_a_list(empty: object) -> None:
    cases: list[tuple[Vendor, str, str]] = [
        ("segment", "product viewed", "properties"),
        ("ga4", "row: view_item", "ecommerce"),
    ]
    for vendor, name, field in cases:
        assert isinstance(decoded(vendor, {**sample(vendor, name), field: empty}), Event)


def test_an_order_told_twice_is_one_event_and_its_refund_another() -> None:
    call = {**sample("segment", "order completed"), "properties": {"order_id": "o1"}}
    first, again = decoded("segment", call), decoded("segment", {**call, "messageId": "other"})
    refund = decoded("segment", {**call, "event": "Order Refunded"})
    assert isinstance(first, Event)
    assert isinstance(refund, Event)
    assert first == again
    assert refund.event_id != first.event_id


@pytest.mark.parametrize(
    ("vendor", "event", "spelling"),
    [
        (
            "segment",
            {"type": "track", "event": "Checkout Step Completed", "userId": "7"},
            "Checkout Step Completed",
        ),
        ("segment", {"type": "identify", "userId": "7"}, "identify"),
        ("segment", {"type": "track", "userId": "u"}, ""),
        ("snowplow", {"event_name": "page_ping"}, "page_ping"),
        ("ga4", {"event_name": "scroll"}, "scroll"),
        ("ga4", {"user_id": "u", "events": [{"name": "user_engagement"}]}, ""),
        ("ga4", {"user_id": "7", "events": [{"name": "user_engagement"}]}, "user_engagement"),
    ],
)
def test_a_skipped_event_tells_how_its_type_is_spelt(
    vendor: Vendor, event: dict[str, object], spelling: str
) -> None:
    assert decoded(vendor, event) == Skipped("unknown-type", spelling)
