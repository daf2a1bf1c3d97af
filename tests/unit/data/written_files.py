"""Files of events as tests write them, and what reading them says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import InputFileError
from schemas.event import Event
from streamer.data.files import read_events

MOMENT = "2017-03-02T18:04:11Z"


MOMENT_MS = 1_488_477_851_000


ROW: dict[str, Any] = {"event_id": "e1", "user_id": "u7", "type": "view", "timestamp": MOMENT}


EVENT = Event("e1", "u7", "view", MOMENT_MS)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def problem(path: Path) -> str:
    with pytest.raises(InputFileError) as caught:
        list(read_events(path))
    message = str(caught.value)
    assert str(path) in message
    return message


def as_ndjson(path: Path, rows: list[dict[str, Any]]) -> Path:
    return written(path.with_suffix(".ndjson"), "".join(json.dumps(row) + "\n" for row in rows))


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[str(row.get(name, "")) for name in names] for row in rows]
    return written(path.with_suffix(".csv"), "".join(",".join(line) + "\n" for line in [names, *cells]))


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return parquet(path.with_suffix(".parquet"), columns)


every_kind = pytest.mark.parametrize("write", [as_ndjson, as_csv, as_parquet])


Write = Callable[[Path, list[dict[str, Any]]], Path]
