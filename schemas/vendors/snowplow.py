"""Snowplow: e-commerce actions and site searches as enriched JSON, which its analytics SDKs write.

https://docs.snowplow.io/docs/events/ootb-data/ecommerce-events/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Raw, Struct

from schemas.event import Skipped
from schemas.vendors.loose_values import (
    ANONYMOUS,
    LooseIdentifier,
    LooseLabel,
    LooseNumber,
    identifier_of,
    label_of,
    list_of,
    number_of,
    order_id,
    present,
    text_of,
    unknown_type,
)

ACTIONS: Final[dict[str, str]] = {
    "product_view": "view",
    "list_view": "view",
    "list_click": "click",
    "promo_click": "click",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "transaction": "purchase",
    "refund": "refund",
}
"""The contract's type of each e-commerce action that has one."""

_VENDOR: Final = "com_snowplowanalytics_snowplow_"
_ENTITY: Final = f"contexts_{_VENDOR}ecommerce_"
_NONE: Final = Raw(b"null")


class _Action(Struct, gc=False):
    type: str


class _Search(Struct, gc=False):
    terms: Any = None


class _Enriched(Struct, gc=False):
    event_id: LooseIdentifier = None
    user_id: LooseIdentifier = None
    derived_tstamp: str | None = None
    collector_tstamp: str | None = None
    domain_sessionid: LooseIdentifier = None
    event_name: LooseIdentifier = None
    action: _Action | None = msgspec.field(
        default=None, name=f"unstruct_event_{_VENDOR}ecommerce_snowplow_ecommerce_action_1"
    )
    search: _Search | None = msgspec.field(default=None, name=f"unstruct_event_{_VENDOR}site_search_1")
    users: Raw = msgspec.field(default=_NONE, name=f"{_ENTITY}user_1")
    products: Raw = msgspec.field(default=_NONE, name=f"{_ENTITY}product_1")
    transactions: Raw = msgspec.field(default=_NONE, name=f"{_ENTITY}transaction_1")
    refunds: Raw = msgspec.field(default=_NONE, name=f"{_ENTITY}refund_1")


class _User(Struct, gc=False):
    id: LooseIdentifier = None
    is_guest: bool | None = None


class _Product(Struct, gc=False):
    id: LooseIdentifier = None
    category: LooseLabel = None
    brand: LooseLabel = None
    price: LooseNumber = None
    quantity: LooseNumber = None
    currency: str | None = None


class _Transaction(Struct, gc=False):
    transaction_id: LooseIdentifier = None
    revenue: LooseNumber = None
    currency: str | None = None


class _Refund(Struct, gc=False):
    refund_amount: LooseNumber = None
    currency: str | None = None


_ENRICHED: Final = msgspec.json.Decoder(_Enriched)
_USERS: Final = msgspec.json.Decoder(tuple[_User, ...] | None)
_USERS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _User])
_PRODUCTS: Final = msgspec.json.Decoder(tuple[_Product, ...] | None)
_PRODUCTS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Product])
_TRANSACTIONS: Final = msgspec.json.Decoder(tuple[_Transaction, ...] | None)
_TRANSACTIONS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Transaction])
_REFUNDS: Final = msgspec.json.Decoder(tuple[_Refund, ...] | None)
_REFUNDS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Refund])


def snowplow_fields(value: bytes, _record_timestamp_ms: int) -> Mapping[str, object] | Skipped:
    """The contract's fields of one enriched event; who the user is says ``user_id``, else the user entity."""
    enriched = _ENRICHED.decode(value)
    event_type = _type_of(enriched)
    if event_type is None:
        name = enriched.event_name if enriched.action is None else enriched.action.type
        return unknown_type(identifier_of(name), enriched.user_id)
    user_id = identifier_of(enriched.user_id) or _known_user(enriched)
    if user_id is None:
        return ANONYMOUS
    shown = enriched.action is not None and enriched.action.type == "list_view"
    products = () if shown else list_of(_PRODUCTS, _PRODUCTS_BY_PLACE, enriched.products)
    amount, currency = _money(event_type, enriched)
    currency = currency or next((product.currency for product in products if product.currency), None)
    return present(
        {
            "event_id": _order(event_type, enriched) or identifier_of(enriched.event_id),
            "user_id": user_id,
            "type": event_type,
            "timestamp": enriched.derived_tstamp or enriched.collector_tstamp,
            "session_id": identifier_of(enriched.domain_sessionid),
            "items": [_item(product) for product in products],
            "value": amount,
            "currency": text_of(currency),
            "query": _query(enriched),
        }
    )


def _type_of(enriched: _Enriched) -> str | None:
    if enriched.action is not None:
        return ACTIONS.get(enriched.action.type)
    return "search" if enriched.search is not None else None


def _known_user(enriched: _Enriched) -> str | None:
    users = list_of(_USERS, _USERS_BY_PLACE, enriched.users)
    return next((identifier_of(user.id) for user in users if not user.is_guest), None)


def _order(event_type: str, enriched: _Enriched) -> str | None:
    if event_type != "purchase":
        return None
    transactions = list_of(_TRANSACTIONS, _TRANSACTIONS_BY_PLACE, enriched.transactions)
    return next((order_id(transaction.transaction_id) for transaction in transactions), None)


def _money(event_type: str, enriched: _Enriched) -> tuple[float | None, str | None]:
    if event_type == "purchase":
        for transaction in list_of(_TRANSACTIONS, _TRANSACTIONS_BY_PLACE, enriched.transactions):
            return number_of(transaction.revenue), transaction.currency
    if event_type == "refund":
        for refund in list_of(_REFUNDS, _REFUNDS_BY_PLACE, enriched.refunds):
            return number_of(refund.refund_amount), refund.currency
    return None, None


def _item(product: _Product) -> dict[str, object]:
    return present(
        {
            "item_id": identifier_of(product.id),
            "category": label_of(product.category),
            "brand": label_of(product.brand),
            "price": number_of(product.price),
            "quantity": number_of(product.quantity),
        }
    )


def _query(enriched: _Enriched) -> str | None:
    terms = enriched.search.terms if enriched.search is not None else None
    if not isinstance(terms, list):
        return None
    words = cast("list[object]", terms)
    return " ".join(word for word in words if isinstance(word, str)) or None
