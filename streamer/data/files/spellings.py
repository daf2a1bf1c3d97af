"""Which known type is meant by a name that is none."""

from __future__ import annotations

from typing import Final

from schemas.event import EVENT_TYPES

_OTHER_NAMES: Final = {
    "view": ("viewed", "page view", "product view", "product viewed", "view item", "impression", "detail"),
    "click": ("clicked", "product clicked", "select item"),
    "search": ("searched", "products searched", "view search results"),
    "add_to_cart": ("cart", "add to basket", "added to cart", "product added", "add"),
    "remove_from_cart": ("remove from basket", "removed from cart", "product removed", "remove"),
    "favorite": ("favourite", "fav", "wishlist", "add to wishlist", "product added to wishlist", "like"),
    "purchase": (
        *("purchased", "order", "order completed", "completed order", "buy", "bought", "sale", "transaction"),
        *("checkout completed", "payment", "paid"),
    ),
    "refund": ("refunded", "return", "returned", "order refunded", "order cancelled", "cancellation"),
    "review": ("reviewed", "product reviewed", "rating", "comment"),
    "coupon_received": ("coupon sent", "voucher received"),
    "coupon_redeemed": ("coupon applied", "coupon used", "voucher redeemed"),
    "support_contact": ("support", "ticket", "support ticket", "contact"),
}


def meant_type(spelling: str) -> str | None:
    """The known type that ``spelling`` is another spelling or a common name of, where there is one."""
    return _TYPES.get(folded(spelling))


def folded(name: str) -> str:
    """``name`` without capitals, and without all that is neither letter nor digit."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_TYPES: Final = {
    **{folded(other): name for name, others in _OTHER_NAMES.items() for other in others},
    **{folded(name): name for name in EVENT_TYPES},
}
