"""What is written to a file of events is what is read from it, in every kind of file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from schemas.event import EVENT_TYPES, MAX_NUMBER, Event, Item
from streamer.data.files import read_events, write_events

KINDS = [".ndjson", ".json", ".jsonl.gz", ".ndjson.zst", ".csv", ".csv.gz", ".csv.zst", ".parquet"]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
numbers = st.floats(-MAX_NUMBER, MAX_NUMBER)
items = st.builds(
    Item,
    item_id=texts,
    category=st.none() | texts,
    brand=st.none() | texts,
    price=st.none() | numbers,
    quantity=st.none() | numbers,
)
events = st.builds(
    Event,
    event_id=texts,
    user_id=texts,
    type=st.sampled_from(EVENT_TYPES),
    timestamp=st.integers(631_152_000_000, 1_750_000_000_000),
    items=st.lists(items, max_size=3).map(tuple),
    value=st.none() | numbers,
    currency=st.none() | st.sampled_from(["USD", "EUR"]),
    duration_ms=st.none() | st.floats(0, MAX_NUMBER),
    rating=st.none() | numbers,
    text=st.none() | texts,
    query=st.none() | texts,
    session_id=st.none() | texts,
)


@pytest.mark.parametrize("suffix", KINDS)
@given(written=st.lists(events, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_survive_a_file(tmp_path: Path, suffix: str, written: list[Event]) -> None:
    path = tmp_path / f"events{suffix}"
    assert write_events(path, written) == len(written)
    assert list(read_events(path)) == written
    first = path.read_bytes()
    write_events(path, written)
    assert path.read_bytes() == first, "the same events gave another file"


@pytest.mark.parametrize("suffix", [".ndjson", ".csv", ".parquet"])
def test_more_events_than_one_batch(tmp_path: Path, suffix: str) -> None:
    written = [
        Event(f"e{number}", f"u{number % 7}", "view", 1_488_477_851_000 + number, (Item(f"i{number}"),))
        for number in range(70_000)
    ]
    path = tmp_path / f"events{suffix}"
    write_events(path, written)
    assert list(read_events(path)) == written


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".csv", ".parquet"])
def test_a_file_appears_only_when_it_is_complete(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"events{suffix}"
    path.write_bytes(b"what was there")

    def failing() -> Iterator[Event]:
        yield Event("e", "u", "view", 1_488_477_851_000)
        raise RuntimeError("the source failed")

    with pytest.raises(RuntimeError):
        write_events(path, failing())
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["events", "events.txt", "events.gz", "events.parquet.gz", "csv"])
def test_a_name_that_says_no_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="does not say what the file is"):
        write_events(tmp_path / name, [])
    with pytest.raises(ConfigurationError, match=r"\.parquet"):
        list(read_events(tmp_path / name))
