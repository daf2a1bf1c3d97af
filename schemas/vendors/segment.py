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
    UNKNOWN_TYPE,
    LooseIdentifier,
    LooseNumber,
    identifier_of,
    number_of,
    present,
    text_of,
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
    category: str | None = None
    brand: str | None = None
    price: LooseNumber = None
    quantity: LooseNumber = None


class _Properties(_Product, gc=False):
    products: tuple[_Product, ...] | None = None
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


def segment_fields(value: bytes, _record_timestamp_ms: int) -> Mapping[str, object] | Skipped:
    """The contract's fields of one call.

    An order's value is its ``revenue``, which leaves shipping and tax out, else ``subtotal``, else ``total``.
    """
    call = _CALL.decode(value)
    event_type = "view" if call.type in _SEEN else TRACKED.get(call.event or "")
    if event_type is None or (call.type != "track" and call.type not in _SEEN):
        return UNKNOWN_TYPE
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
        properties = _PROPERTIES.decode(call.properties) or _Properties()
        fields |= _tracked(call.event or "", event_type, properties)
    return present(fields)


def _tracked(event: str, event_type: str, properties: _Properties) -> dict[str, object]:
    query = properties.query
    fields: dict[str, object] = {
        "items": _items(event, properties),
        "currency": _currency(properties.currency),
        "query": query if isinstance(query, str) else None,
        "text": properties.review_body,
        "rating": number_of(properties.rating, "rating"),
    }
    if event_type in _ORDERS:
        amounts = (
            number_of(properties.revenue, "revenue"),
            number_of(properties.subtotal, "subtotal"),
            number_of(properties.total, "total"),
        )
        fields["value"] = next((amount for amount in amounts if amount is not None), None)
    return fields


def _items(event: str, properties: _Properties) -> list[dict[str, object]]:
    shown = event in _LISTS
    products = (properties,) if shown or not properties.products else properties.products
    items = [
        present(
            {
                "item_id": identifier_of(product.product_id) or identifier_of(product.sku),
                "category": text_of(product.category),
                "brand": text_of(product.brand),
                "price": None if shown else number_of(product.price, "price"),
                "quantity": None if shown else number_of(product.quantity, "quantity"),
            }
        )
        for product in products
    ]
    return [item for item in items if item]


def _currency(currency: str | None) -> str | None:
    # The spec's own examples write both "usd" and "USD".
    return currency.upper() if currency else None
