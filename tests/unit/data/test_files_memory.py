"""Memory of long files: reading needs as much for many events as for few, and histories little for each."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.data.histories import collect
from schemas.event import Event, Item
from streamer.analysis.inspection.collected import Collected
from streamer.analysis.inspection.figures import figures_of
from streamer.data.files import write_events

FEW, MANY, COLLECTED = 20_000, 200_000, 100_000
# Held all at once, the events that MANY has more would need some 100 MiB.
ROOM_BYTES = 40 * 1024 * 1024

READ = """\
import re, sys
from collections import Counter
from pathlib import Path
from streamer.data.datasets import ordering
from streamer.data.files import read_events
ordering.EVENTS_AT_ONCE = 10_000
events = read_events(Path(sys.argv[1]))
if sys.argv[2] == "in order":
    events = ordering.in_order(events, Counter())
count = sum(1 for _ in events)
# getrusage would begin with the memory of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(count, int(peak[1]) * 1024)
"""


def many_events(count: int) -> Iterator[Event]:
    for number in range(count):
        item = Item(f"item-{number % 977}", "category", None, 9.5, 1.0)
        yield Event(f"e{number}", f"u{number % 997}", "view", 1_500_000_000_000 + number, (item,))


def peak_of_reading(path: Path, count: int, how: str) -> int:
    """Bytes that a process held at most which read the file and did nothing with it."""
    write_events(path, many_events(count))
    command = [sys.executable, "-c", READ, str(path), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read, peak = map(int, done.stdout.split())
    assert read == count
    return peak


linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


@linux
@pytest.mark.parametrize("name", ["e.ndjson", "e.csv.gz", "e.parquet"])
def test_reading_ten_times_the_events_takes_no_more_memory(name: str, tmp_path: Path) -> None:
    few = peak_of_reading(tmp_path / name, FEW, "as it is")
    assert peak_of_reading(tmp_path / name, MANY, "as it is") < few + ROOM_BYTES


@linux
def test_sorting_ten_times_the_events_takes_no_more_memory(tmp_path: Path) -> None:
    few = peak_of_reading(tmp_path / "e.ndjson", FEW, "in order")
    assert peak_of_reading(tmp_path / "e.ndjson", MANY, "in order") < few + ROOM_BYTES


def test_histories_are_collected_in_150_bytes_an_event() -> None:
    tracemalloc.start()
    try:
        histories = collect(many_events(COLLECTED))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(histories.tokens) == COLLECTED
    assert peak < 150 * COLLECTED + 150 * histories.users


def test_events_are_inspected_in_100_bytes_each() -> None:
    tracemalloc.start()
    try:
        found = Collected()
        found.read(many_events(COLLECTED))
        figures = figures_of(found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert figures.events == COLLECTED
    assert peak < 100 * COLLECTED
