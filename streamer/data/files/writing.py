"""A stream of ``Event`` into a file; the file appears at its name only when it is complete."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.wire.encoding import encode_event
from streamer.data.files.formats.fields import COLUMNS, ITEM_COLUMNS, NUMBER_COLUMNS
from streamer.data.files.kind import Compression, files_extra, kind_of
from streamer.data.files.streams import replacing, writing

_ROW_GROUP_ROWS: Final = 65_536
_EVENT_COLUMNS: Final = tuple(name for name in COLUMNS if name not in ITEM_COLUMNS)


def write_events(path: Path, events: Iterable[Event]) -> int:
    """Write the events in their order and return how many they were; equal events give equal bytes.

    Raises ``ConfigurationError`` where the name says no known kind of file.
    """
    kind = kind_of(path)
    if kind.format == "ndjson":
        return _write_ndjson(path, kind.compression, events)
    if kind.format == "csv":
        return _write_csv(path, kind.compression, events)
    return _write_parquet(path, events)


def _write_ndjson(path: Path, compression: Compression | None, events: Iterable[Event]) -> int:
    count = 0
    with writing(path, compression) as stream:
        for event in events:
            stream.write(encode_event(event) + b"\n")
            count += 1
    return count


def _write_csv(path: Path, compression: Compression | None, events: Iterable[Event]) -> int:
    count = 0
    with writing(path, compression) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        rows = csv.writer(text, lineterminator="\r\n")
        rows.writerow(COLUMNS)
        for event in events:
            rows.writerow(_csv_cells(event))
            count += 1
        text.flush()
        text.detach()
    return count


def _csv_cells(event: Event) -> list[object]:
    one_item = event.items[0] if len(event.items) == 1 else None
    cells: list[object] = []
    for name in COLUMNS:
        if name == "timestamp":
            cells.append(format_timestamp(event.timestamp))
        elif name == "items":
            many = len(event.items) > 1
            cells.append(msgspec.json.encode(event.items).decode() if many else None)
        elif name in ITEM_COLUMNS:
            cells.append(getattr(one_item, name, None))
        else:
            cells.append(getattr(event, name))
    return cells


def _write_parquet(path: Path, events: Iterable[Event]) -> int:
    pyarrow = files_extra("pyarrow")
    parquet = files_extra("pyarrow.parquet")
    schema = _arrow_schema(pyarrow)
    count = 0
    remaining = iter(events)
    with (
        replacing(path) as partial,
        parquet.ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        while rows := list(islice(remaining, _ROW_GROUP_ROWS)):
            columns = [
                pyarrow.array(_column(name, rows), type=schema.field(name).type) for name in _EVENT_COLUMNS
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
            count += len(rows)
    return count


def _column(name: str, rows: list[Event]) -> list[Any]:
    if name == "items":
        return [[msgspec.structs.asdict(item) for item in event.items] or None for event in rows]
    return [getattr(event, name) for event in rows]


def _arrow_schema(pyarrow: Any) -> Any:
    text, number = pyarrow.string(), pyarrow.float64()
    item = pyarrow.struct([(name, number if name in NUMBER_COLUMNS else text) for name in ITEM_COLUMNS])
    types = {"timestamp": pyarrow.timestamp("ms", "UTC"), "items": pyarrow.list_(item)}
    return pyarrow.schema(
        [(name, types.get(name, number if name in NUMBER_COLUMNS else text)) for name in _EVENT_COLUMNS]
    )
