"""Days of a zone with summer time, in aggregates kept up event by event and folded anew alike."""

from __future__ import annotations

from datetime import UTC as ZERO
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.data.histories import aggregates_at, collect
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.policy import Policy
from streamer.core.history.aggregates import COLUMN, empty, fold
from streamer.core.history.token import as_array
from streamer.core.model.transformer_inputs import NUMBERS, transformer_inputs
from streamer.settings.time_zone import calendar_of
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel

ZONE = "America/St_Johns"
CALENDAR = calendar_of(ZONE)
SPRING_MS = 1_142_690_400_000  # 18 March 2006, two weeks before the clocks went forward
POLICY = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, daily_budget=3)

GAPS_MS = (0, 30_000, 600_000, 7_200_000, 43_200_000, DAY_MS, 20 * DAY_MS)
"""Events crowd around midnight and around both changes of the clock."""

histories = st.lists(
    st.tuples(
        st.sampled_from(GAPS_MS),
        st.sampled_from(("view", "purchase", "refund")),
        st.sampled_from((0, 0, 0, 30_000, DAY_MS)),
    ),
    min_size=1,
    max_size=40,
)


def model_in(zone: str, identity: bytes = FixedModel.identity) -> FixedModel:
    model = FixedModel()
    model.calendar, model.identity = calendar_of(zone), identity
    return model


def events_of(history: list[tuple[int, str, int]], start_ms: int = SPRING_MS) -> list[Event]:
    now_ms, events = start_ms, []
    for number, (gap_ms, event_type, late_ms) in enumerate(history):
        now_ms += gap_ms
        events.append(Event(f"e{number}", "u", event_type, now_ms - late_ms, value=2.0))
    return events


def local_days(events: list[Event]) -> int:
    """Distinct dates on the wall in Berlin, which has none of them twice."""
    zone = ZoneInfo("Europe/Berlin")
    return len({datetime.fromtimestamp(e.timestamp / 1000, ZERO).astimezone(zone).date() for e in events})


@given(history=histories, cut=st.integers(0, 40))
def test_running_aggregates_are_those_of_the_fold(history: list[tuple[int, str, int]], cut: int) -> None:
    arrivals = partition_events(events_of(history))
    run = PartitionDriver.of(POLICY, model_in(ZONE))
    run.process(arrivals[:cut])
    run.recover()
    run.process(arrivals[cut:])
    state = run.state("u")
    base = np.frombuffer(state.past)[np.newaxis]
    assert state.running == fold(base, [as_array(state.ring)], CALENDAR).tobytes()


@given(history=histories)
def test_what_training_sees_is_what_the_streamer_counts(history: list[tuple[int, str, int]]) -> None:
    events, calendar = events_of(history), calendar_of("Europe/Berlin")
    trained = collect(events, None, calendar)
    tokens = trained.tokens
    running = aggregates_at(trained, np.array([len(tokens) - 1]))[0]
    assert running.tobytes() == fold(empty(1), [tokens], calendar)[0].tobytes()
    assert running[COLUMN["visit_days"]] == local_days(events)


@given(history=histories, start_ms=st.integers(SPRING_MS, SPRING_MS + 300 * DAY_MS), silently=st.booleans())
def test_another_bundle_counts_a_user_in_its_own_days(
    history: list[tuple[int, str, int]], start_ms: int, silently: bool
) -> None:
    """What still lies in the ring is as if the new bundle had been there all the time."""
    short = events_of(history[: FixedModel.ring_tokens - 1], start_ms)
    last_ms = max(event.timestamp for event in short)
    newest = Event("new", "other" if silently else "u", "view", last_ms + 2 * DAY_MS)
    arrivals = partition_events([*short, newest])
    old, new = (
        PartitionDriver.of(POLICY, model_in("UTC")),
        PartitionDriver.of(POLICY, model_in(ZONE, b"fixed-tz")),
    )
    old.process(arrivals[:-1])
    taken_over = PartitionDriver.of(POLICY, model_in(ZONE, b"fixed-tz"))
    taken_over.table, taken_over.clock_ms = old.table, old.clock_ms
    taken_over.recover()
    taken_over.process(arrivals[-1:])
    new.process(arrivals)
    assert taken_over.state("u").running == new.state("u").running


def test_hours_and_weekdays_are_local() -> None:
    noon = Event("e", "u", "view", 1_499_623_200_000)  # Sunday, 9 July 2017, 18:00 UTC: 15:30 in St John's
    histories = collect([noon], None, CALENDAR)
    inputs = transformer_inputs(histories.tokens, histories.previous_times(), 512, 1024, CALENDAR)
    numbers = dict(zip(NUMBERS, inputs.numbers[0].tolist(), strict=True))
    day = 2 * np.pi * 15.5 / 24
    assert np.allclose([numbers["hour_sine"], numbers["hour_cosine"]], [np.sin(day), np.cos(day)])
    week = 2 * np.pi * (3 + 15.5 / 24) / 7  # weeks begin on Thursday, as the epoch did
    assert np.allclose([numbers["weekday_sine"], numbers["weekday_cosine"]], [np.sin(week), np.cos(week)])
