from __future__ import annotations

import numpy as np
import pytest

from schemas.event import Event, Item
from schemas.units import DAY_MS
from streamer.core.history.aggregates import COLUMN, advance, count_late, empty, fold
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array, tokenise
from streamer.core.model.features import FEATURES, features_at
from streamer.settings.time_zone import calendar_of

START = 1_483_228_800_000


def tokens(*events: tuple[str, float, float | None]) -> bytes:
    """Packed tokens of (type, day, value)."""
    return b"".join(
        tokenise(
            Event(
                f"e{n}",
                "u",
                kind,
                START + int(day * DAY_MS),
                items=(Item(price=1.0), Item(price=2.0)),
                value=value,
            )
        )
        for n, (kind, day, value) in enumerate(events)
    )


def after(*events: tuple[str, float, float | None]) -> dict[str, float]:
    row = fold(empty(1), [as_array(tokens(*events))], UTC)[0]
    return {name: float(row[index]) for name, index in COLUMN.items()}


def test_counts_of_a_small_history() -> None:
    row = after(("view", 0, None), ("purchase", 0.5, 10.0), ("purchase", 3.5, 30.0), ("refund", 4.0, -30.0))
    assert row["events"] == 4
    assert row["purchases"] == row["purchase_days"] == 2
    assert row["visit_days"] == 3
    assert row["lines"] == 4
    assert row["value"] == 10.0
    assert row["last_value"] == 30.0
    assert row["refunds"] == 1
    assert row["gap_total"] == pytest.approx(3.5)
    assert row["gap_longest"] == pytest.approx(3.0)
    assert row["gap_last"] == pytest.approx(0.5)


def test_decayed_visit_days_halve_in_their_half_life() -> None:
    row = after(("purchase", 0, 1.0), ("purchase", 14, 1.0))
    assert row["visits_14d"] == pytest.approx(1.5)


def test_value_of_an_event_without_one_is_the_sum_of_its_items() -> None:
    assert after(("purchase", 0, None))["value"] == 3.0


def test_late_events_change_only_sums() -> None:
    history = fold(empty(1), [as_array(tokens(("purchase", 10, 5.0), ("purchase", 12, 5.0)))], UTC)
    late = count_late(history, as_array(tokens(("purchase", 1, 7.0))))
    changed = {name for name, index in COLUMN.items() if late[0, index] != history[0, index]}
    assert changed == {"first_time", "events", "purchases", "lines", "value"}


def test_users_side_by_side_equal_each_alone_bit_by_bit() -> None:
    rng = np.random.default_rng(7)
    rings = [
        as_array(tokens(*(("purchase", day, float(day)) for day in np.cumsum(rng.exponential(5, size=n)))))
        for n in (1, 3, 17, 40)
    ]
    together = fold(empty(len(rings)), rings, UTC)
    for row, ring in zip(together, rings, strict=True):
        assert row.tobytes() == fold(empty(1), [ring], UTC)[0].tobytes()


def test_features_of_a_query_do_not_depend_on_its_neighbours() -> None:
    rows = np.vstack(
        [
            fold(empty(1), [as_array(tokens(("purchase", n, 2.0), ("view", n + 3.3, None)))], UTC)
            for n in range(37)
        ]
    )
    moments = rows[:, COLUMN["last_time"]] + np.linspace(0, 50, 37) * DAY_MS
    together = features_at(rows, moments)
    for index in range(len(rows)):
        alone = features_at(rows[index : index + 1], moments[index : index + 1])
        assert alone.tobytes() == together[index : index + 1].tobytes()
    assert np.isfinite(together).all()


def test_features_of_a_user_who_never_bought() -> None:
    rows = fold(empty(1), [as_array(tokens(("view", 0, None)))], UTC)
    values = dict(zip(FEATURES, features_at(rows, np.array([START + 5.0 * DAY_MS]))[0].tolist(), strict=True))
    assert values["never_bought"] == 1.0
    assert values["since_purchase"] == pytest.approx(np.log1p(5.0))


def test_advance_leaves_its_input_alone() -> None:
    before = empty(1)
    advance(before, as_array(tokens(("purchase", 0, 1.0))), UTC)
    assert before[0, COLUMN["events"]] == 0


@pytest.mark.parametrize(("zone", "days"), [("UTC", 2), ("Europe/Berlin", 2), ("America/New_York", 1)])
def test_an_event_at_half_past_eleven_utc_counts_for_the_next_day_in_berlin(zone: str, days: int) -> None:
    calendar = calendar_of(zone)
    rows = fold(empty(1), [as_array(tokens(("purchase", 0.8, 1.0), ("purchase", 23.5 / 24, 1.0)))], calendar)
    assert rows[0, COLUMN["visit_days"]] == rows[0, COLUMN["purchase_days"]] == 1 + (zone == "Europe/Berlin")
    row = fold(rows, [as_array(tokens(("purchase", 24.5 / 24, 1.0)))], calendar)[0]
    assert row[COLUMN["visit_days"]] == row[COLUMN["purchase_days"]] == days


def test_a_short_day_is_still_a_day_and_a_gap_is_of_real_time() -> None:
    """Berlin, 26 March 2017: 23 hours lie between the two midnights."""
    sunday = 84 - 1 / 24
    shopping = tokens(
        *(("view", day, None) for day in (sunday + 1e-6, sunday + 22.9 / 24, sunday + 23.1 / 24))
    )
    row = fold(empty(1), [as_array(shopping)], calendar_of("Europe/Berlin"))[0]
    assert row[COLUMN["visit_days"]] == 2
    assert row[COLUMN["gap_last"]] == pytest.approx(0.2 / 24, abs=1e-6)
