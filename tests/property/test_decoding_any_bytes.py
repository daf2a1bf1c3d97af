"""Whatever the bytes, decoding ends in an event, a skip or a MalformedEventError, and always in the same."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import MalformedEventError
from schemas.event import EVENT_TYPES, MAX_NUMBER, Event, Item, Skipped, StrictEventMessage
from schemas.timestamps import format_timestamp
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event

NOW_MS = 1_700_000_000_000
MESSAGE_PACK = "application/msgpack"

content_types = st.sampled_from([None, "application/json", MESSAGE_PACK])
identifiers = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=256
)
labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=256)
numbers = st.floats(-MAX_NUMBER, MAX_NUMBER)
items = st.builds(
    Item,
    item_id=st.none() | identifiers,
    category=st.none() | labels,
    brand=st.none() | labels,
    price=st.none() | numbers,
    quantity=st.none() | numbers,
)
events = st.builds(
    Event,
    event_id=identifiers,
    user_id=identifiers,
    type=st.sampled_from(EVENT_TYPES),
    timestamp=st.integers(631_152_000_000, NOW_MS + 86_400_000),
    items=st.lists(items, max_size=3).map(tuple),
    value=st.none() | numbers,
    currency=st.none() | st.sampled_from(["USD", "EUR"]),
    duration_ms=st.none() | st.floats(0, MAX_NUMBER),
    rating=st.none() | numbers,
    text=st.none() | labels,
    query=st.none() | labels,
    session_id=st.none() | identifiers,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(labels, inner, max_size=4),
    max_leaves=12,
)
event_fields = st.sampled_from(sorted({*StrictEventMessage.__struct_fields__}))


def decoded(value: bytes | None, content_type: str | None, record_ms: int = NOW_MS) -> Event | Skipped | str:
    """The outcome, with a refusal as its class; any other exception fails the test."""
    try:
        return decode_event(value, content_type, record_ms)
    except MalformedEventError as error:
        return error.error_class


@settings(deadline=None)
@given(value=st.binary(max_size=400), content_type=content_types, record_ms=st.integers(-(2**63), 2**63 - 1))
def test_random_bytes_end_in_a_verdict(value: bytes, content_type: str | None, record_ms: int) -> None:
    assert decoded(value, content_type, record_ms) == decoded(value, content_type, record_ms)


@settings(deadline=None)
@given(event=events, packed=st.booleans(), position=st.integers(0, 10_000), replacement=st.binary(max_size=6))
def test_a_damaged_event_ends_in_a_verdict(
    event: Event, packed: bool, position: int, replacement: bytes
) -> None:
    value = msgspec.msgpack.encode(event) if packed else encode_event(event)
    at = position % len(value)
    damaged = value[:at] + replacement + value[at + 1 :]
    decoded(damaged, MESSAGE_PACK if packed else None)


@settings(deadline=None)
@given(event=events, name=event_fields, replacement=json_values, packed=st.booleans())
def test_an_event_with_one_field_of_any_value_ends_in_a_verdict(
    event: Event, name: str, replacement: object, packed: bool
) -> None:
    fields = {**msgspec.json.decode(encode_event(event)), name: replacement}
    if packed:
        decoded(msgspec.msgpack.encode(fields), MESSAGE_PACK)
    else:
        decoded(msgspec.json.encode(fields), None)


@settings(deadline=None)
@given(value=json_values, packed=st.booleans())
def test_any_json_or_message_pack_value_ends_in_a_verdict(value: object, packed: bool) -> None:
    if packed:
        assert isinstance(decoded(msgspec.msgpack.encode(value), MESSAGE_PACK), str)
    else:
        assert isinstance(decoded(msgspec.json.encode(value), None), str)


@settings(deadline=None)
@given(event=events)
def test_an_encoded_event_decodes_to_itself(event: Event) -> None:
    assert decode_event(encode_event(event), None, NOW_MS) == event


@settings(deadline=None)
@given(event=events)
def test_message_pack_decodes_to_what_json_does(event: Event) -> None:
    packed = msgspec.msgpack.encode(msgspec.json.decode(encode_event(event)))
    assert decode_event(packed, MESSAGE_PACK, NOW_MS) == event


@settings(deadline=None)
@given(
    event=events,
    extra=st.dictionaries(labels.map(lambda name: "x-" + name), json_values, min_size=1, max_size=4),
    packed=st.booleans(),
)
def test_unknown_fields_change_nothing_but_their_count(
    event: Event, extra: dict[str, object], packed: bool
) -> None:
    fields = {**msgspec.json.decode(encode_event(event)), **extra}
    if packed:
        found = decode_event(msgspec.msgpack.encode(fields), MESSAGE_PACK, NOW_MS)
    else:
        found = decode_event(msgspec.json.encode(fields), None, NOW_MS)
    assert found == msgspec.structs.replace(event, unknown_fields=len(extra))


@settings(deadline=None)
@given(event=events, epoch_ms=st.integers(631_152_000_000, NOW_MS))
def test_a_time_as_text_or_as_number_is_the_same_time(event: Event, epoch_ms: int) -> None:
    fields = msgspec.json.decode(encode_event(event))
    as_number = msgspec.json.encode({**fields, "timestamp": epoch_ms})
    as_text = msgspec.json.encode({**fields, "timestamp": format_timestamp(epoch_ms)})
    assert decode_event(as_number, None, NOW_MS) == decode_event(as_text, None, NOW_MS)
