"""Segment: track calls of the e-commerce spec V2, page and screen calls.

https://segment.com/docs/connections/spec/ecommerce/v2/ and https://segment.com/docs/connections/spec/common/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from schemas.event import Skipped
from schemas.vendors.loose_values import (
    ANONYMOUS,
    LooseIdentifier,
    LooseLabel,
    LooseNumber,
    first_number,
    identifier_of,
    label_of,
    list_of,
    map_of,
    number_of,
    order_id,
    present,
    unknown_type,
)

TRACKED: Final[dict[str, str]] = {
    "Products Searched": "search",
    "Product List Viewed": "view",
    "Product List Filtered": "view",
    "Promotion Clicked": "click",
    "Product Clicked": "click",
    "Product Viewed": "view",
    "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart",
    "Cart Viewed": "view",
    "Checkout Started": "view",
    "Order Completed": "purchase",
    "Order Refunded": "refund",
    "Order Cancelled": "refund",
    "Coupon Applied": "coupon_redeemed",
    "Product Added to Wishlist": "favorite",
    "Wishlist Product Added to Cart": "add_to_cart",
    "Product Reviewed": "review",
}
"""The contract's type of each track call that has one."""

_FIRST_SPEC: Final[dict[str, str]] = {
    "Viewed Product Category": "Product List Viewed",
    "Viewed Product": "Product Viewed",
    "Clicked Product": "Product Clicked",
    "Clicked Promotion": "Promotion Clicked",
    "Searched Products": "Products Searched",
    "Added Product": "Product Added",
    "Removed Product": "Product Removed",
    "Viewed Cart": "Cart Viewed",
    "Started Checkout": "Checkout Started",
    "Completed Order": "Order Completed",
    "Refunded Order": "Order Refunded",
    "Cancelled Order": "Order Cancelled",
    "Applied Coupon": "Coupon Applied",
    "Reviewed Product": "Product Reviewed",
}
"""Names with the verb first, as the first version of the spec writes them, and the names since then."""


def _folded(name: str) -> str:
    return "".join(name.replace("_", " ").replace("-", " ").split()).casefold()


_SPELLINGS: Final = {_folded(name): name for name in TRACKED} | {
    _folded(old): name for old, name in _FIRST_SPEC.items()
}

_SEEN: Final = frozenset({"page", "screen"})
_ORDERS: Final = frozenset({"purchase", "refund"})
_LISTS: Final = frozenset({"Product List Viewed", "Product List Filtered", "Cart Viewed", "Checkout Started"})
"""Calls whose products were shown, not chosen: they are left out."""


class _Call(Struct, gc=False, rename="camel"):
    type: str
    event: str | None = None
    message_id: LooseIdentifier = None
    user_id: LooseIdentifier = None
    timestamp: str | None = None
    received_at: str | None = None
    properties: Raw = Raw(b"{}")


class _Product(Struct, gc=False):
    product_id: LooseIdentifier = None
    sku: LooseIdentifier = None
    category: LooseLabel = None
    brand: LooseLabel = None
    price: LooseNumber = None
    quantity: LooseNumber = None


class _Properties(_Product, gc=False):
    order_id: LooseIdentifier = None
    products: Raw = Raw(b"null")
    revenue: LooseNumber = None
    subtotal: LooseNumber = None
    total: LooseNumber = None
    currency: str | None = None
    # The spec allows an object; of that there is nothing to take.
    query: Any = None
    review_body: str | None = None
    rating: LooseNumber = None


_CALL: Final = msgspec.json.Decoder(_Call)
_PROPERTIES: Final = msgspec.json.Decoder(_Properties | None)
_PRODUCTS: Final = msgspec.json.Decoder(tuple[_Product, ...] | None)
_PRODUCTS_BY_PLACE: Final = msgspec.json.Decoder(dict[str, _Product])


def segment_fields(value: bytes, _record_timestamp_ms: int) -> Mapping[str, object] | Skipped:
    """The contract's fields of one call.

    An order's value is its ``revenue``, which leaves shipping and tax out, else ``subtotal``, else ``total``.
    """
    call = _CALL.decode(value)
    name = _canonical(call.event or "")
    event_type = "view" if call.type in _SEEN else TRACKED.get(name)
    if event_type is None or (call.type != "track" and call.type not in _SEEN):
        return unknown_type(call.event if call.type == "track" else call.type, call.user_id)
    user_id = identifier_of(call.user_id)
    if user_id is None:
        return ANONYMOUS
    fields: dict[str, object] = {
        "event_id": identifier_of(call.message_id),
        "user_id": user_id,
        "type": event_type,
        "timestamp": call.timestamp or call.received_at,
    }
    if call.type == "track":
        properties = map_of(_PROPERTIES, call.properties) or _Properties()
        fields |= _tracked(name, event_type, properties)
    return present(fields)


def _canonical(event: str) -> str:
    """The spec's name of ``event``, whatever its capitals, blanks and underscores."""
    return event if event in TRACKED else _SPELLINGS.get(_folded(event), event)


def _tracked(event: str, event_type: str, properties: _Properties) -> dict[str, object]:
    query = properties.query
    fields: dict[str, object] = {
        "items": _items(event, properties),
        "currency": _currency(properties.currency),
        "query": query if isinstance(query, str) else None,
        "text": properties.review_body,
        "rating": number_of(properties.rating),
    }
    if event_type in _ORDERS:
        fields["value"] = first_number((properties.revenue, properties.subtotal, properties.total))
    if event_type == "purchase" and (order := order_id(properties.order_id)):
        fields["event_id"] = order
    return fields


def _items(event: str, properties: _Properties) -> list[dict[str, object]]:
    shown = event in _LISTS
    listed = () if shown else list_of(_PRODUCTS, _PRODUCTS_BY_PLACE, properties.products)
    products = listed or (properties,)
    items = [
        present(
            {
                "item_id": identifier_of(product.product_id) or identifier_of(product.sku),
                "category": label_of(product.category),
                "brand": label_of(product.brand),
                "price": None if shown else number_of(product.price),
                "quantity": None if shown else number_of(product.quantity),
            }
        )
        for product in products
    ]
    return [item for item in items if item]


def _currency(currency: str | None) -> str | None:
    # The spec's own examples write both "usd" and "USD".
    return currency.upper() if currency else None
