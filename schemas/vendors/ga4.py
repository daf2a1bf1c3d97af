"""Google Analytics 4: a row of the BigQuery export, or a Measurement Protocol request with one event.

https://support.google.com/analytics/answer/7029846 (export),
https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference/events (protocol).
Neither form has an id for an event: one is made of what tells events apart, so that the same event sent twice
has the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw, Struct

from schemas.errors import MalformedEventError
from schemas.event import Skipped
from schemas.timestamps import LATEST_MS
from schemas.vendors.loose_values import (
    ANONYMOUS,
    LooseIdentifier,
    LooseLabel,
    LooseNumber,
    WholeNumber,
    first_number,
    identifier_of,
    label_of,
    list_of,
    map_of,
    number_of,
    order_id,
    present,
    text_of,
    unknown_type,
)

EVENTS: Final[dict[str, str]] = {
    "view_item": "view",
    "view_item_list": "view",
    "view_cart": "view",
    "begin_checkout": "view",
    "select_item": "click",
    "select_promotion": "click",
    "search": "search",
    "view_search_results": "search",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "add_to_wishlist": "favorite",
    "purchase": "purchase",
    "refund": "refund",
}
"""The contract's type of each recommended event that has one."""

_SHOWN: Final = frozenset({"view_item_list", "view_cart", "begin_checkout", "search", "view_search_results"})
"""Events whose items were shown, not chosen: they are left out."""

_ORDERS: Final = frozenset({"purchase", "refund"})
_NONE: Final = Raw(b"null")


class _Sent(Struct, gc=False):
    name: str
    params: Raw = _NONE
    timestamp_micros: WholeNumber | str | None = None


class _Envelope(Struct, gc=False):
    """Fields of both forms: ``events`` is a request's, ``event_name`` a row's."""

    events: Raw = _NONE
    client_id: LooseIdentifier = None
    app_instance_id: LooseIdentifier = None
    timestamp_micros: WholeNumber | str | None = None
    user_id: LooseIdentifier = None
    event_name: str | None = None
    event_timestamp: WholeNumber | str | None = None
    event_bundle_sequence_id: LooseIdentifier = None
    batch_page_id: LooseIdentifier = None
    batch_ordering_id: LooseIdentifier = None
    batch_event_index: LooseIdentifier = None
    user_pseudo_id: LooseIdentifier = None
    event_params: Raw = _NONE
    ecommerce: Raw = _NONE
    items: Raw = _NONE


class _Item(Struct, gc=False):
    item_id: LooseIdentifier = None
    item_name: LooseIdentifier = None
    item_brand: LooseLabel = None
    item_category: LooseLabel = None
    price: LooseNumber = None
    quantity: LooseNumber = None


class _Parameters(Struct, gc=False):
    currency: str | None = None
    value: LooseNumber = None
    search_term: LooseIdentifier = None
    session_id: LooseIdentifier = None
    transaction_id: LooseIdentifier = None
    items: Raw = _NONE


class _ParameterValue(Struct, gc=False):
    string_value: str | None = None
    int_value: LooseIdentifier = None
    float_value: LooseNumber = None
    double_value: LooseNumber = None


class _Parameter(Struct, gc=False):
    key: str
    value: _ParameterValue | None = None


class _Ecommerce(Struct, gc=False):
    transaction_id: LooseIdentifier = None
    purchase_revenue: LooseNumber = None
    refund_value: LooseNumber = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PARAMETERS: Final = msgspec.json.Decoder(_Parameters | None)
_PARAMETER_LIST: Final = msgspec.json.Decoder(tuple[_Parameter, ...] | None)
_ECOMMERCE: Final = msgspec.json.Decoder(_Ecommerce | None)
_ITEMS: Final = msgspec.json.Decoder(tuple[_Item, ...] | None)
_ITEMS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Item])
_PARAMETERS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Parameter])
_SENT: Final = msgspec.json.Decoder(tuple[_Sent, ...] | None)
_SENT_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Sent])


def ga4_fields(value: bytes, record_timestamp_ms: int) -> Mapping[str, object] | Skipped:
    """The contract's fields of one event.

    A request without ``timestamp_micros`` means the time at which it is received: the record's, if known.
    Raises ``MalformedEventError`` for a request with several events, which cannot be one record.
    """
    envelope = _ENVELOPE.decode(value)
    if envelope.events != _NONE:
        events = list_of(_SENT, _SENT_BY_PLACE, envelope.events)
        if len(events) != 1:
            raise MalformedEventError(
                "several-events",
                f"The request holds {len(events)} events; send a record for each of them.",
            )
        return _of_request(envelope, events[0], record_timestamp_ms)
    if envelope.event_name is None:
        raise MalformedEventError("missing-field", "The event has neither `event_name` nor `events`.")
    return _of_row(envelope, envelope.event_name)


def _of_request(
    envelope: _Envelope, event: _Sent, record_timestamp_ms: int
) -> Mapping[str, object] | Skipped:
    if event.name not in EVENTS:
        return unknown_type(event.name, envelope.user_id)
    user_id = identifier_of(envelope.user_id)
    if user_id is None:
        return ANONYMOUS
    sent_ms = _milliseconds(event.timestamp_micros) or _milliseconds(envelope.timestamp_micros)
    time_ms = record_timestamp_ms if sent_ms is None else sent_ms
    if sent_ms is None and record_timestamp_ms >= LATEST_MS:
        raise MalformedEventError(
            "missing-field", "The request has no `timestamp_micros`, and its record no time to take instead."
        )
    client = envelope.client_id or envelope.app_instance_id
    event_id = _id_of(client, time_ms, event.timestamp_micros, event.name, bytes(event.params).hex())
    parameters = map_of(_PARAMETERS, event.params) or _Parameters()
    return _fields(event.name, event_id, user_id, time_ms, parameters)


def _of_row(envelope: _Envelope, name: str) -> Mapping[str, object] | Skipped:
    if name not in EVENTS:
        return unknown_type(name, envelope.user_id)
    user_id = identifier_of(envelope.user_id)
    if user_id is None:
        return ANONYMOUS
    event_id = _id_of(
        envelope.user_pseudo_id,
        envelope.event_timestamp,
        name,
        envelope.event_bundle_sequence_id,
        envelope.batch_page_id,
        envelope.batch_ordering_id,
        envelope.batch_event_index,
    )
    listed = {
        entry.key: entry.value
        for entry in list_of(_PARAMETER_LIST, _PARAMETERS_BY_PLACE, envelope.event_params)
    }
    ecommerce = map_of(_ECOMMERCE, envelope.ecommerce) or _Ecommerce()
    order = ecommerce.refund_value if name == "refund" else ecommerce.purchase_revenue
    given = _amount(listed.get("value"))
    parameters = _Parameters(
        currency=_text(listed.get("currency")),
        value=first_number((given, order)),
        search_term=_text(listed.get("search_term")),
        session_id=_text(listed.get("ga_session_id")),
        transaction_id=_text(listed.get("transaction_id")) or identifier_of(ecommerce.transaction_id),
        items=envelope.items,
    )
    return _fields(name, event_id, user_id, _milliseconds(envelope.event_timestamp), parameters)


def _fields(
    name: str, event_id: str, user_id: str, time_ms: int | None, parameters: _Parameters
) -> dict[str, object]:
    event_type = EVENTS[name]
    order = order_id(parameters.transaction_id) if event_type == "purchase" else None
    items = () if name in _SHOWN else list_of(_ITEMS, _ITEMS_BY_PLACE, parameters.items)
    return present(
        {
            "event_id": order or event_id,
            "user_id": user_id,
            "type": event_type,
            "timestamp": time_ms,
            "items": [_item(item) for item in items],
            "value": number_of(parameters.value) if event_type in _ORDERS else None,
            "currency": text_of(parameters.currency),
            "query": identifier_of(parameters.search_term),
            "session_id": identifier_of(parameters.session_id),
        }
    )


def _item(item: _Item) -> dict[str, object]:
    return present(
        {
            "item_id": identifier_of(item.item_id) or identifier_of(item.item_name),
            "category": label_of(item.item_category),
            "brand": label_of(item.item_brand),
            "price": number_of(item.price),
            "quantity": number_of(item.quantity),
        }
    )


def _milliseconds(microseconds: int | str | None) -> int | None:
    if microseconds is None or microseconds == "":
        return None
    if isinstance(microseconds, str):
        # BigQuery writes its 64-bit integers as text.
        if not (microseconds.isascii() and microseconds.isdigit() and len(microseconds) <= 19):
            raise MalformedEventError("bad-timestamp", "The event's time is no whole number of microseconds.")
        microseconds = int(microseconds)
    return microseconds // 1000


def _text(value: _ParameterValue | None) -> str | None:
    return None if value is None else text_of(value.string_value) or identifier_of(value.int_value)


def _amount(value: _ParameterValue | None) -> float | None:
    if value is None:
        return None
    given = (value.double_value, value.float_value, identifier_of(value.int_value), value.string_value)
    return first_number(given)


def _id_of(*parts: object) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:32]
