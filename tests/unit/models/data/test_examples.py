"""What training is given: histories, moments and labels, with nothing from after the end in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.data.examples import Examples, label, training_moments
from models.data.histories import Histories, aggregates_at, collect, next_churn_event
from models.data.moments import Moments, cut_moments
from models.recipe import BIN_EDGES, BINS_WITHIN_HORIZON, Task
from models.selection.drift import steady_features
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.history.aggregates import empty, fold
from streamer.core.history.calendar import UTC
from streamer.core.history.token import hash_text
from streamer.core.model.features import FEATURES

START = 1_483_228_800_000


def event(user: str, day: float, kind: str = "purchase", event_id: str | None = None) -> Event:
    return Event(event_id or f"{user}-{day}-{kind}", user, kind, START + round(day * DAY_MS), value=10.0)


def days(*values: float) -> np.ndarray:
    return np.array([START + round(value * DAY_MS) for value in values], dtype=np.int64)


def random_histories(users: int, seed: int = 0) -> Histories:
    random = np.random.default_rng(seed)
    return collect(
        event(f"u{user}", float(day))
        for user in range(users)
        for day in np.cumsum(random.exponential(random.uniform(1, 30), random.integers(1, 40)))
    )


def asked(histories: Histories, moments: Moments, until: float, horizon: int = 10) -> Examples:
    return label(histories, moments, horizon * DAY_MS, "purchase", int(days(until)[0]))


def test_order_and_repetition_of_events_do_not_matter() -> None:
    events = [event("b", 3), event("a", 2), event("a", 1), event("b", 0.5)]
    first, second = collect(events), collect([*events[::-1], events[1]])
    assert first.tokens.tobytes() == second.tokens.tobytes()
    assert first.starts.tolist() == [0, 2, 4]
    assert first.times.tolist() == days(1, 2, 0.5, 3).tolist()
    assert first.fingerprint == second.fingerprint


def test_events_from_the_end_on_are_not_collected() -> None:
    events = [event("a", 1), event("a", 5), event("b", 5)]
    until = int(days(5)[0])
    cut = collect(events, until)
    assert cut.times.tolist() == days(1).tolist()
    assert collect(events).before(until).tokens.tobytes() == cut.tokens.tobytes()
    assert collect(events).before(until).starts.tolist() == [0, 1]


def test_aggregates_are_those_of_the_streamers_fold() -> None:
    histories = random_histories(30)
    wanted = np.random.default_rng(1).integers(0, len(histories.tokens), 50)
    owner = np.searchsorted(histories.starts, wanted, side="right") - 1
    rings = [
        histories.tokens[histories.starts[user] : last + 1] for user, last in zip(owner, wanted, strict=True)
    ]
    expected = np.concatenate([fold(empty(1), [ring], UTC) for ring in rings])
    assert aggregates_at(histories, wanted).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("kind", "expected"), [("purchase", [3, 3, np.nan, np.nan]), ("any", [2, 3, 4, np.nan])]
)
def test_next_event_of_the_churn_kind(kind: str, expected: Sequence[float]) -> None:
    histories = collect(
        [event("a", 1), event("a", 2, "view"), event("a", 3), event("a", 4, "view"), event("b", 2)]
    )
    found = (next_churn_event(histories, kind)[:4] - START) / DAY_MS  # type: ignore[arg-type]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


def test_a_cut_asks_about_users_within_the_longest_silence() -> None:
    histories = collect([event("a", 1), event("b", 8), event("c", 20), event("d", 10)])
    moments = cut_moments(histories, days(10), 5 * DAY_MS)
    # d's event is at the cut itself, which therefore has not seen it.
    assert histories.tokens["event"][moments.event].tolist() == [hash_text("b-8-purchase")]


def test_labels_by_the_wait_for_the_next_purchase() -> None:
    histories = collect([event("a", 1), event("a", 6), event("b", 1), event("b", 12), event("c", 1)])
    examples = asked(histories, cut_moments(histories, days(2), 100 * DAY_MS), until=12)
    assert examples.churned.tolist() == [0.0, 1.0, 1.0]
    assert examples.seen.tolist() == [True, False, False]
    assert examples.bin[0] == np.searchsorted(np.array(BIN_EDGES) * 10, 4, side="right")
    assert examples.bin[1] == BINS_WITHIN_HORIZON
    assert np.isnan(asked(histories, cut_moments(histories, days(2.5), 1e12), until=12).churned).all()


def test_the_label_at_the_horizons_very_end_is_churn() -> None:
    histories = collect([event("a", 0), event("a", 10), event("b", 0), event("b", 9.999)])
    examples = asked(histories, Moments(np.array([0, 2]), days(0, 0).astype(float)), until=30)
    assert examples.churned.tolist() == [1.0, 0.0]


def test_nothing_after_the_end_changes_what_is_trained_on() -> None:
    histories = random_histories(40)
    until = int(days(120)[0])
    task = Task(until_ms=until)
    early = histories.before(until)
    for with_future in (early, early):
        moments = training_moments(with_future, task, until)
        assert moments.time_ms.max() < until
    moments = training_moments(early, task, until)
    examples = label(early, moments, task.horizon_ms, "purchase", until)
    place = np.flatnonzero(histories.times < until)[moments.event]
    later = label(histories, Moments(place, moments.time_ms), task.horizon_ms, "purchase", until)
    assert later.features.tobytes() == examples.features.tobytes()
    assert later.bin.tolist() == examples.bin.tolist()
    assert np.array_equal(later.churned, examples.churned, equal_nan=True)


def test_every_silence_up_to_the_longest_is_asked_about() -> None:
    histories = random_histories(300)
    until = int(days(150)[0])
    moments = training_moments(histories.before(until), Task(until_ms=until), until)
    silence = (moments.time_ms - histories.before(until).times[moments.event]) / DAY_MS
    assert (silence == 0).mean() > 0.02
    assert silence.max() <= 110
    assert (np.histogram(silence, bins=11, range=(0, 110))[0] > 0).all()


def test_running_totals_drift_and_rates_do_not() -> None:
    random = np.random.default_rng(0)
    histories = collect(
        event(f"u{user}", float(day))
        for user in range(200)
        for day in np.cumsum(random.exponential(4, 80))
        if day < 200
    )
    until = int(days(200)[0])
    moments = training_moments(histories, Task(until_ms=until), until)
    kept = {FEATURES[column] for column in steady_features(asked(histories, moments, until=200))}
    assert not kept & {"tenure", "events", "purchases"}
    assert {"silence", "gap_smoothed", "visits_14d"} <= kept
