"""Times in files of events: their units, and those that cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from streamer.data.files import ReadCounts, read_events
from tests.unit.data.written_files import (
    EVENT,
    MOMENT_MS,
    ROW,
    Write,
    every_kind,
    parquet,
    problem,
)

FAR = ["9999-12-31T23:59:59Z", "9999-12-31T23:00:00-05:00", "2700-01-01T00:00:00Z"]


@every_kind
@pytest.mark.parametrize("time", FAR)
def test_a_time_far_ahead_is_left_out_and_told(tmp_path: Path, write: Write, time: str) -> None:
    path = write(tmp_path / "e", [ROW, {**ROW, "timestamp": time}])
    counts = ReadCounts()
    assert list(read_events(path, counts)) == [EVENT]
    [sentence] = counts.sentences()
    assert "1 of 2 rows were left out, of times more than a day ahead" in sentence
    assert str(path) in sentence
    assert time[:4] in sentence
    assert counts.figures() == {"rows": 1, "types": {}, "other_types": 0, "in_future": 1}


def test_the_last_moment_of_the_calendar_as_a_timestamp_is_left_out_too(tmp_path: Path) -> None:
    end_s = pa.array([MOMENT_MS // 1000, 253_402_300_799], pa.timestamp("s", "UTC"))
    columns = {name: [value] * 2 for name, value in ROW.items()} | {"timestamp": end_s}
    counts = ReadCounts()
    assert list(read_events(parquet(tmp_path / "e.parquet", columns), counts)) == [EVENT]
    assert counts.in_future == 1


@every_kind
@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (MOMENT_MS // 1_000, "are seconds (2017-03-02T18:04:11Z): multiply by 1000"),
        (MOMENT_MS * 1_000, "are microseconds (2017-03-02T18:04:11Z): divide by 1000 "),
        (MOMENT_MS * 1_000_000, "are nanoseconds (2017-03-02T18:04:11Z): divide by 1000000 "),
        (0, "1970"),
        (253_402_300_800_000, "is no time in milliseconds"),
        (-MOMENT_MS, "is no time in milliseconds"),
    ],
)
def test_a_number_of_another_unit_is_refused_by_its_name(
    tmp_path: Path, write: Write, epoch: int, expected: str
) -> None:
    message = problem(write(tmp_path / "e", [{**ROW, "timestamp": MOMENT_MS}, {**ROW, "timestamp": epoch}]))
    assert expected in message
    assert re.search(r"(row 2|row 3|line 2), (column|field) timestamp: ", message)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_parquet_have_their_unit(tmp_path: Path, unit: str) -> None:
    factor = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    times = pa.array([MOMENT_MS // 1_000 * factor], pa.timestamp(unit, "UTC"))
    columns = {name: [value] for name, value in ROW.items()} | {"timestamp": times}
    assert list(read_events(parquet(tmp_path / "e.parquet", columns))) == [EVENT]
