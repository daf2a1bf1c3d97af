"""Times to text and back, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.timestamps import format_timestamp, parse_instant, parse_timestamp

YEAR_1_MS = -62_135_596_800_000
YEAR_9999_END_MS = 253_402_300_799_999


@settings(deadline=None)
@given(st.integers(YEAR_1_MS, YEAR_9999_END_MS))
def test_text_reads_back_as_the_same_time(epoch_ms: int) -> None:
    text = format_timestamp(epoch_ms)
    assert parse_timestamp(text) == epoch_ms
    assert (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    ) == epoch_ms


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_488_477_851_000, "2017-03-02T18:04:11Z"),
        (1_488_477_851_007, "2017-03-02T18:04:11.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_milliseconds_are_written_only_where_they_are_not_zero(epoch_ms: int, text: str) -> None:
    assert format_timestamp(epoch_ms) == text


@pytest.mark.parametrize("epoch_ms", [YEAR_1_MS - 1, YEAR_9999_END_MS + 1, 10**30])
def test_years_that_rfc_3339_cannot_write(epoch_ms: int) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        format_timestamp(epoch_ms)


@pytest.mark.parametrize(
    ("text", "epoch_ms"),
    [
        ("2017-03-02", 1_488_412_800_000),
        ("2017-03-02T18:04:11Z", 1_488_477_851_000),
        ("2017-03-02T19:04:11.5+01:00", 1_488_477_851_500),
        (" 1488477851000 ", 1_488_477_851_000),
    ],
)
def test_what_a_person_types(text: str, epoch_ms: int) -> None:
    assert parse_instant(text) == epoch_ms


@pytest.mark.parametrize("text", ["", "now", "2017-13-01", "20170302", "2017-03-02T18:04:11", "9" * 40])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time: write"):
        parse_instant(text)
