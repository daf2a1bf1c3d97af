"""Local days and hours: against zoneinfo, over changes of the clock, and for UTC plain arithmetic."""

from __future__ import annotations

from datetime import UTC as ZERO
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from schemas.units import DAY_MS, HOUR_MS
from streamer.core.history.calendar import UTC
from streamer.settings.time_zone import calendar_of

EPOCH = datetime(1970, 1, 1)
ZONES = (
    "UTC",
    "Asia/Kolkata",  # half an hour, and none but one offset for as long as we look
    "Europe/Berlin",
    "America/St_Johns",  # turned its clocks one minute after midnight until 2011
    "America/Sao_Paulo",  # turned them at midnight, which some days lack
    "Pacific/Auckland",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # went without 30 December 2011
    "Africa/Casablanca",  # back for Ramadan only
)

moments = st.integers(0, 129 * 365 * DAY_MS)


def at(zone: str, *fields: int, fold: int = 0) -> int:
    """Epoch ms of a local time."""
    return round(datetime(*fields, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)  # type: ignore[misc]


def length_of_day_h(zone: str, year: int, month: int, day: int) -> float:
    calendar = calendar_of(zone)
    start_ms = calendar.next_midnight_ms(at(zone, year, month, day, 12) - DAY_MS)
    return (calendar.next_midnight_ms(start_ms) - start_ms) / HOUR_MS


@given(zone=st.sampled_from(ZONES), times_ms=st.lists(moments, min_size=1, max_size=20))
@settings(deadline=None)
def test_the_clock_on_the_wall_is_that_of_zoneinfo(zone: str, times_ms: list[int]) -> None:
    for time_ms, local_ms in zip(
        times_ms, calendar_of(zone).local_ms(np.array(times_ms, dtype=np.float64)).tolist(), strict=True
    ):
        shown = datetime.fromtimestamp(time_ms // 1000, ZERO).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert EPOCH + timedelta(seconds=local_ms // 1000) == shown


@given(
    zone=st.sampled_from(ZONES),
    near=st.integers(0, 10**6),
    shift_ms=st.integers(-2 * DAY_MS, 2 * DAY_MS),
    anywhere_ms=moments,
)
@settings(deadline=None)
def test_a_day_ends_at_the_first_moment_of_a_later_one(
    zone: str, near: int, shift_ms: int, anywhere_ms: int
) -> None:
    calendar = calendar_of(zone)
    changes = calendar.transitions_ms or (anywhere_ms,)
    for after_ms in (anywhere_ms, changes[near % len(changes)] + shift_ms):
        midnight_ms = calendar.next_midnight_ms(after_ms)
        between_ms = np.linspace(after_ms, midnight_ms - 1, 50)
        today, tomorrow = calendar.days(np.array([after_ms, midnight_ms], dtype=np.float64)).tolist()
        assert midnight_ms > after_ms
        assert set(calendar.days(np.floor(between_ms)).tolist()) == {today}
        assert tomorrow > today


@given(zone=st.sampled_from(ZONES), times_ms=st.lists(moments, min_size=2, max_size=50).map(sorted))
@settings(deadline=None)
def test_the_number_of_the_day_never_falls(zone: str, times_ms: list[int]) -> None:
    assert (np.diff(calendar_of(zone).days(np.array(times_ms, dtype=np.float64))) >= 0).all()


def test_days_are_as_long_as_the_clock_makes_them() -> None:
    assert length_of_day_h("Europe/Berlin", 2017, 3, 26) == 23
    assert length_of_day_h("Europe/Berlin", 2017, 10, 29) == 25
    assert length_of_day_h("Pacific/Auckland", 2017, 4, 2) == 25
    assert length_of_day_h("Pacific/Auckland", 2017, 9, 24) == 23
    assert length_of_day_h("America/St_Johns", 2017, 11, 5) == 25
    assert length_of_day_h("Australia/Lord_Howe", 2017, 10, 1) == 23.5
    assert length_of_day_h("Asia/Kolkata", 2017, 3, 26) == 24
    assert length_of_day_h("UTC", 2017, 3, 26) == 24


def test_half_hours_count() -> None:
    assert calendar_of("Asia/Kolkata").next_midnight_ms(at("UTC", 2017, 5, 1, 18, 29)) == at(
        "UTC", 2017, 5, 1, 18, 30
    )
    assert calendar_of("America/St_Johns").next_midnight_ms(at("UTC", 2017, 1, 1, 3, 29)) == at(
        "UTC", 2017, 1, 1, 3, 30
    )


def test_a_day_without_midnight_begins_with_what_comes_instead() -> None:
    zone = "America/Sao_Paulo"
    before_ms = at(zone, 2017, 10, 14, 23, 30)
    assert calendar_of(zone).next_midnight_ms(before_ms) == at(zone, 2017, 10, 15, 1)


def test_a_day_that_a_zone_left_out_is_passed_over() -> None:
    calendar, zone = calendar_of("Pacific/Apia"), "Pacific/Apia"
    evening_ms = at(zone, 2011, 12, 29, 22)
    assert calendar.next_midnight_ms(evening_ms) == at(zone, 2011, 12, 31) == evening_ms + 2 * HOUR_MS
    thursday, saturday = calendar.days(np.array([evening_ms, evening_ms + 2.0 * HOUR_MS])).tolist()
    assert saturday - thursday == 2


def test_a_clock_turned_back_after_midnight_does_not_bring_yesterday_back() -> None:
    """St John's, 29 October 2006: at 00:01 the clocks went back to 23:01 of the 28th."""
    zone = "America/St_Johns"
    midnight_ms = at(zone, 2006, 10, 29)
    moments_ms = midnight_ms + np.array([-1, 0, 30_000, 60_000, HOUR_MS, 2 * HOUR_MS], dtype=np.float64)
    twenty_eighth = (date(2006, 10, 28) - date(1970, 1, 1)).days
    assert (calendar_of(zone).days(moments_ms) - twenty_eighth).tolist() == [0, 1, 1, 1, 1, 1]
    assert calendar_of(zone).next_midnight_ms(midnight_ms + HOUR_MS) == at(zone, 2006, 10, 30)


def test_utc_is_plain_arithmetic_bit_by_bit() -> None:
    times = np.append(np.random.default_rng(0).integers(0, 2**42, 10_000).astype(np.float64), np.nan)
    for calendar in (UTC, calendar_of("UTC")):
        assert calendar == UTC
        assert calendar.local_ms(times) is times, "not even a copy"
        assert calendar.days(times).tobytes() == np.floor(times / DAY_MS).tobytes()
        for time_ms in times[:100].astype(int).tolist():
            assert calendar.next_midnight_ms(time_ms) == (time_ms // DAY_MS + 1) * DAY_MS


def test_what_never_happened_has_no_day() -> None:
    assert np.isnan(calendar_of("Europe/Berlin").days(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    "wrong", ["Europe/Berln", "America", "", "../UTC", "/etc/passwd", "Mars/Olympus", "x\0y"]
)
def test_a_name_that_is_no_zone_is_refused_with_the_setting(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"time_zone: .* no IANA time zone"):
        calendar_of(wrong)


def test_a_misspelt_zone_is_recognised() -> None:
    with pytest.raises(ConfigurationError, match="did you mean Europe/Berlin"):
        calendar_of("Europe/Berln")
