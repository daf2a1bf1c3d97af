"""What is told of rows that were left out."""

from __future__ import annotations

import json
from pathlib import Path

from streamer.data.files import ReadCounts, read_events
from tests.unit.data.written_files import (
    ROW,
    Write,
    every_kind,
    written,
)


@every_kind
def test_spellings_of_types_are_told_with_what_is_meant(tmp_path: Path, write: Write) -> None:
    names = ["Purchase", "purchase ", "Purchase", "Order Completed", "page_ping", "view"]
    path = write(tmp_path / "e", [{**ROW, "type": name} for name in names])
    counts = ReadCounts()
    assert len(list(read_events(path, counts))) == 1
    [sentence] = counts.sentences()
    assert sentence == (
        "5 of 6 rows were left out, of unknown types: 'Purchase' 2 (purchase?), 'purchase ' 1 (purchase?), "
        "'Order Completed' 1 (purchase?), 'page_ping' 1"
    )


def test_as_many_types_as_rows_take_bounded_room(tmp_path: Path) -> None:
    rows = "".join(json.dumps({**ROW, "type": f"{number:0300}"}) + "\n" for number in range(3_000))
    counts = ReadCounts()
    assert list(read_events(written(tmp_path / "e.ndjson", rows), counts)) == []
    assert counts.skipped == 3_000
    assert len(counts.types) <= 1_000
    assert max(map(len, counts.types)) <= 80
    assert counts.figures()["other_types"] == 3_000 - counts.types.total()
