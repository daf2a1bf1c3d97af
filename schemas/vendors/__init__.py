"""Events as platforms send them, each mapped to the contract's fields by one pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from schemas.event import Skipped
from schemas.vendors.ga4 import ga4_fields
from schemas.vendors.segment import segment_fields
from schemas.vendors.snowplow import snowplow_fields

Vendor = Literal["segment", "snowplow", "ga4"]

FieldsOf = Callable[[bytes, int], Mapping[str, object] | Skipped]
"""From a record's JSON and its Kafka timestamp to the contract's fields.

Raises ``MalformedEventError`` and what msgspec raises for text that does not fit.
"""

VENDORS: Final[dict[Vendor, FieldsOf]] = {
    "segment": segment_fields,
    "snowplow": snowplow_fields,
    "ga4": ga4_fields,
}
