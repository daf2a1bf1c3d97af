"""Whatever becomes of a platform's event on its way, decoding ends in an event, a skip or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import MalformedEventError
from schemas.event import Event, Skipped
from schemas.vendors import VENDORS, Vendor
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event

NOW_MS: Final = 1_710_000_000_000
FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "vendors"
SAMPLES: Final[list[tuple[Vendor, dict[str, Any]]]] = [
    (vendor, case["event"])
    for vendor in VENDORS
    for case in json.loads((FIXTURES / f"{vendor}.json").read_text())
]

samples = st.sampled_from(SAMPLES)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(
        [
            "",
            "\0",
            "9" * 5000,
            "$21.00",
            "1,299.00",
            "NaN",
            "null",
            False,
            "1e999",
            "0001-01-01T00:00:00+23:00",
            10**4000,
            -1,
        ]
    )
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, part in inner for path in paths(part, (*at, key)))]


def replaced(value: Any, path: tuple[str | int, ...], put: object) -> Any:
    if not path:
        return put
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], put)
    return copied


def verdict(vendor: Vendor, value: bytes) -> Event | Skipped | str:
    """The outcome, with a refusal as its class; any other exception fails the test."""
    try:
        return decode_event(value, None, NOW_MS, vendor)
    except MalformedEventError as error:
        return error.error_class


@settings(deadline=None, max_examples=400)
@given(data=st.data(), sample=samples, other=st.sampled_from(sorted(VENDORS)))
def test_a_changed_event_ends_in_a_verdict(
    data: st.DataObject, sample: tuple[Vendor, dict[str, Any]], other: Vendor
) -> None:
    vendor, event = sample
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(event)))
        event = replaced(event, path, data.draw(json_values))
    value = json.dumps(event).encode()
    for reader in (vendor, other):
        found = verdict(reader, value)
        assert found == verdict(reader, value)
        if isinstance(found, Event):
            # What was taken from a platform is an event of the contract in every respect.
            assert decode_event(encode_event(found), None, NOW_MS) == msgspec.structs.replace(
                found, unreadable=()
            )


@settings(deadline=None)
@given(sample=samples, position=st.integers(0, 100_000), replacement=st.binary(max_size=6))
def test_a_damaged_event_ends_in_a_verdict(
    sample: tuple[Vendor, dict[str, Any]], position: int, replacement: bytes
) -> None:
    vendor, event = sample
    value = json.dumps(event).encode()
    at = position % len(value)
    verdict(vendor, value[:at] + replacement + value[at + 1 :])
