"""Files as other programs write them: their missing amounts, marks, separators and names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.event import Event, Item
from streamer.data.files import ReadCounts, read_events
from tests.unit.data.written_files import (
    EVENT,
    MOMENT,
    MOMENT_MS,
    ROW,
    as_csv,
    parquet,
    problem,
    written,
)

HEADER, CELLS = "event_id,user_id,type,timestamp,query", f'e1,u7,view,{MOMENT},"a, b; c"'


@pytest.mark.parametrize("text", ["NaN", "nan", "NULL", "null", "\\N", "", "n/a", "-nan"])
def test_an_amount_that_is_not_known_in_csv(tmp_path: Path, text: str) -> None:
    header = "event_id,user_id,type,timestamp,value,price,quantity,rating,duration_ms,session_id\n"
    row = f"e1,u7,view,{MOMENT},{text},{text},{text},{text},{text},\\N\n"
    assert list(read_events(written(tmp_path / "e.csv", header + row))) == [EVENT]


def test_an_amount_that_is_nan_in_parquet(tmp_path: Path) -> None:
    nan = float("nan")
    item = pa.struct([("item_id", pa.string()), ("price", pa.float64())])
    columns = {name: [value] for name, value in ROW.items()} | {
        "value": pa.array([nan]).dictionary_encode(),
        "rating": pa.array([nan], pa.float32()),
        "items": pa.array([[{"item_id": "a", "price": nan}, {"price": 2.5}]], pa.list_(item)),
    }
    [event] = read_events(parquet(tmp_path / "e.parquet", columns))
    assert (event.value, event.rating) == (None, None)
    assert event.items == (Item("a"), Item(None, price=2.5))


def test_nan_as_python_writes_it_into_json(tmp_path: Path) -> None:
    nan = float("nan")
    items = [{"item_id": 'a "NaN"', "price": nan}]
    row = {**ROW, "value": nan, "items": items, "query": "NaN, \\ NaN"}
    [event] = read_events(written(tmp_path / "e.ndjson", json.dumps(row) + "\n"))
    assert event == Event("e1", "u7", "view", MOMENT_MS, (Item('a "NaN"'),), query="NaN, \\ NaN")
    unknown = {**ROW, "type": "Purchase", "value": nan}
    counts = ReadCounts()
    assert list(read_events(written(tmp_path / "u.ndjson", json.dumps(unknown)), counts)) == []
    assert counts.types == {"Purchase": 1}
    table = as_csv(tmp_path / "t", [ROW])
    table.write_text(f'event_id,user_id,type,timestamp,items\ne1,u7,view,{MOMENT},"[{{""price"":NaN}}]"\n')
    assert [event.items for event in read_events(table)] == [(Item(),)]


@pytest.mark.parametrize("name", ["e.csv", "e.ndjson.gz"])
def test_utf_16_is_named(tmp_path: Path, name: str) -> None:
    content = json.dumps(ROW).encode("utf-16")
    path = written(tmp_path / name, gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    assert "UTF-16: save it as UTF-8" in problem(path)


def test_a_byte_order_mark_begins_lines_too(tmp_path: Path) -> None:
    line = json.dumps(ROW).encode() + b"\n"
    assert list(read_events(written(tmp_path / "e.ndjson", b"\xef\xbb\xbf" + line))) == [EVENT]
    joined = written(tmp_path / "f.ndjson", line + b"\xef\xbb\xbf" + line)
    assert list(read_events(joined)) == [EVENT, EVENT], "files that were written after each other"


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("e.json", json.dumps([ROW]), "cat {} | jq -c '.[]' > events.ndjson"),
        ("e.json", "\ufeff[\n" + json.dumps(ROW) + "\n]", "cat {} | jq -c '.[]' > events.ndjson"),
        ("e.json", json.dumps(ROW, indent=2), "cat {} | jq -c '.' > events.ndjson"),
        ("e.json.gz", gzip.compress(b"[]", mtime=0), "gzip -dc {} | jq -c '.[]' > events.ndjson"),
    ],
)
def test_json_that_is_no_lines_is_named_with_the_way_out(
    tmp_path: Path, name: str, content: str | bytes, command: str
) -> None:
    path = written(tmp_path / name, content)
    message = problem(path)
    assert "one object a line is needed" in message
    assert command.format(path) in message


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{CELLS}\n",
        f"{HEADER.replace(',', ';')}\r\n{CELLS.replace(',', ';', 4)}\r\n",
        "event_id\tuser_id\ttype\ttimestamp\tquery\n" + CELLS.replace(",", "\t", 4) + "\n",
        f"\ufeffsep=,\r\n{HEADER}\r\n{CELLS}\r\n",
        f"SEP=;\n{HEADER.replace(',', ';')}\n{CELLS.replace(',', ';', 4)}\n",
        f'event_id, user_id, type, timestamp, query\ne1, u7, view, {MOMENT}, "a, b; c"\n',
        f"Event_ID,USER_ID,Type ,TimeStamp,Query\n{CELLS}\n",
        f"Event Id,userId,type,time-stamp,query\n{CELLS}\n",
        f"{HEADER},,\n{CELLS},x,y\n",
        f"{HEADER},shop,shop\n{CELLS},x,y\n",
        f"{HEADER},Type\n{CELLS},x\n",
        f'"event_id","user_id","type","timestamp","query","note\nof two lines"\n{CELLS},x\n',
    ],
)
def test_csv_of_other_dialects(tmp_path: Path, content: str) -> None:
    [event] = read_events(written(tmp_path / "e.csv", content))
    assert event == Event("e1", "u7", "view", MOMENT_MS, query="a, b; c", unknown_fields=event.unknown_fields)


def test_the_row_after_a_line_that_names_the_separator_keeps_its_number(tmp_path: Path) -> None:
    content = f"sep=;\n{HEADER.replace(',', ';')}\n;u7;view;{MOMENT};\n"
    assert "row 3, column event_id" in problem(written(tmp_path / "e.csv", content))


def test_columns_of_parquet_that_are_not_used_need_not_be_unique(tmp_path: Path) -> None:
    names = ["Event_ID", "user_id", "type", "timestamp", "shop", "shop"]
    arrays = [pa.array([value]) for value in (*ROW.values(), "x", "y")]
    path = tmp_path / "e.parquet"
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path)
    [event] = read_events(path)
    assert event == Event("e1", "u7", "view", MOMENT_MS, unknown_fields=1)
    pq.write_table(pa.Table.from_arrays(arrays, names=[*names[:4], "user_id", "x"]), path)
    assert "column user_id more than once, as the columns 2 ('user_id'), 5 ('user_id')" in problem(path)
