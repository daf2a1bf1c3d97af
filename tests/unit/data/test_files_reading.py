"""Files that others wrote: what is understood, and how what is wrong is named."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ConfigurationError, InputFileError
from schemas.event import Event, Item
from streamer.data.files import ReadCounts, kind, read_events

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


def test_lines_with_blank_ones_between_and_other_line_ends(tmp_path: Path) -> None:
    line = json.dumps(ROW)
    path = written(tmp_path / "e.json", f"{line}\r\n\n  \n{line}")
    assert list(read_events(path)) == [EVENT, EVENT]


def test_unknown_types_and_fields_are_counted(tmp_path: Path) -> None:
    lines = [{**ROW, "type": "page_ping"}, {**ROW, "colour": 1}, ROW]
    path = written(tmp_path / "e.ndjson", "\n".join(json.dumps(line) for line in lines))
    counts = ReadCounts()
    assert len(list(read_events(path, counts))) == 2
    assert counts == ReadCounts(events=2, skipped=1, unknown_fields=1, types=Counter({"page_ping": 1}))


def test_several_compressed_parts_in_one_file(tmp_path: Path) -> None:
    part = gzip.compress(json.dumps(ROW).encode() + b"\n")
    assert list(read_events(written(tmp_path / "e.ndjson.gz", part + part))) == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("second_line", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "Expected `object`"),
        (json.dumps({**ROW, "value": "7.98"}), ", field value: "),
        (json.dumps({**ROW, "items": [{"price": "x"}]}), ", field items[0].price: "),
        (json.dumps({"event_id": "e"}), ", field user_id: "),
        (json.dumps({**ROW, "user_id": 7}), ", field user_id: "),
        (json.dumps({**ROW, "timestamp": "2017-03-02 18:04"}), ", field timestamp: "),
        (json.dumps({**ROW, "timestamp": "2017-03-02T18:04:11"}), "with their zone, as 2017-03-02T18:04:11Z"),
        (json.dumps({**ROW, "text": "t" * 1_100_000}), "bytes; the most is"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, second_line: str, expected: str) -> None:
    message = problem(written(tmp_path / "e.ndjson", json.dumps(ROW) + "\n" + second_line + "\n"))
    assert ", line 2" in message
    assert expected in message


@pytest.mark.parametrize("name", ["e.ndjson.gz", "e.ndjson.zst", "e.csv.gz", "e.parquet"])
def test_files_that_are_not_what_their_name_says(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in problem(written(tmp_path / name, b"this is plain text, not compressed"))


def test_a_compressed_file_that_ends_early(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(json.dumps({**ROW, "event_id": str(n)}).encode() for n in range(2_000)))
    assert "cannot be read" in problem(written(tmp_path / "e.ndjson.gz", whole[: len(whole) // 2]))


def test_a_missing_file(tmp_path: Path) -> None:
    assert "No such file" in problem(tmp_path / "e.ndjson")
    assert "No such file" in problem(tmp_path / "e.parquet")


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(kind.importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match=r"pyarrow is not installed.*churn-streamer\[files\]"):
        list(read_events(tmp_path / "e.parquet"))


def test_csv_with_one_item_and_with_epoch_milliseconds(tmp_path: Path) -> None:
    path = written(
        tmp_path / "e.csv",
        "\ufeffuser_id,event_id,type,timestamp,item_id,price,quantity,extra\r\n"
        f"u7,e1,view,{MOMENT},i1,3.99,2,x\r\n\r\n"
        f"u7,e1,view,{MOMENT_MS},,,,\r\n",
    )
    counts = ReadCounts()
    with_item, plain = read_events(path, counts)
    assert with_item.items == (Item("i1", None, None, 3.99, 2.0),)
    assert plain.timestamp == MOMENT_MS
    assert plain.items == ()
    assert counts.unknown_fields == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("event_id,user_id,type\n1,2,view\n", "has no column timestamp"),
        ("event_id,user_id,type,timestamp,type\n", "column type more than once"),
        ("", "has no column event_id"),
        (f"event_id,user_id,type,timestamp,price\n1,2,view,{MOMENT},abc\n", "row 2, column price"),
        (
            f'event_id,user_id,type,timestamp,price\n1,2,view,{MOMENT},"1,5"\n',
            "'1,5' is not a number, written as",
        ),
        ("event_id,user_id,type,timestamp\n1,2,view,2017-03-02 18:04:11\n", "times with their zone"),
        ("event_id,user_id,type,timestamp\n1,2,view,1488477851\n", "row 2, column timestamp: "),
        (f"event_id,user_id,type,timestamp\n1,2,,{MOMENT}\n", "row 2, column type: "),
        (
            f"event_id:user_id:type:timestamp\n1:2:view:{MOMENT}\n",
            "Found: 'event_id:user_id:type:timestamp'.",
        ),
        (
            "event_id,user_id,type,Timestamp,time stamp\n",
            "column timestamp more than once, as the columns 4 ('Timestamp'), 5 ('time stamp')",
        ),
        (f"event_id,user_id,type,timestamp\n1,2,view,{MOMENT}\n1,2,view\n", "row 3: 3 cells under 4"),
        ("event_id,user_id,type,timestamp\n1,2,view,noon\n", "row 2, column timestamp: "),
        (f"event_id,user_id,type,timestamp\n1,,view,{MOMENT}\n", "row 2, column user_id: "),
        (f"event_id,user_id,type,timestamp,items\n1,2,view,{MOMENT},[{{\n", "row 2, column items"),
        (f'event_id,user_id,type,timestamp\n1,2,view,"{MOMENT}\n', "not CSV"),
        (b"event_id,user_id,type,timestamp\n\xff,2,view,1488477851000\n", "not CSV in UTF-8"),
    ],
)
def test_a_wrong_row_of_csv_is_named(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in problem(written(tmp_path / "e.csv", content))


def test_parquet_with_numbers_as_ids_and_flat_items(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "e.parquet",
        {
            "event_id": pa.array([1, 2]),
            "user_id": pa.array(["a", "a"]).dictionary_encode(),
            "type": ["view", "purchase"],
            "timestamp": pa.array(
                [MOMENT_MS * 1_000, MOMENT_MS * 1_000 + 999], pa.timestamp("us", "Europe/Oslo")
            ),
            "item_id": [7, None],
            "price": pa.array([1, 2], pa.int32()),
            "quantity": pa.array([None, None]),
            "store": [3, 4],
        },
    )
    counts = ReadCounts()
    view, purchase = read_events(path, counts)
    assert view == Event("1", "a", "view", MOMENT_MS, (Item("7", None, None, 1.0),), unknown_fields=1)
    assert purchase.timestamp == MOMENT_MS
    assert purchase.items == (Item(None, None, None, 2.0),)


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


@every_kind
def test_order_and_repeats_stay_as_they_are(tmp_path: Path, write: Write) -> None:
    rows = [{**ROW, "event_id": name} for name in ("e3", "e1", "e3", "e2")]
    rows[1]["timestamp"] = "2016-01-01T00:00:00Z"
    assert [event.event_id for event in read_events(write(tmp_path / "e", rows))] == ["e3", "e1", "e3", "e2"]


@every_kind
def test_offsets_are_taken_to_utc(tmp_path: Path, write: Write) -> None:
    times = ["2017-03-02T20:04:11+02:00", "2017-03-02 12:34:11.000-05:30", "2017-03-02T18:04:11.0009z"]
    rows = [{**ROW, "timestamp": time} for time in times]
    assert [event.timestamp for event in read_events(write(tmp_path / "e", rows))] == [MOMENT_MS] * 3


@every_kind
def test_long_ids_missing_prices_and_negative_amounts(tmp_path: Path, write: Write) -> None:
    unique = str(uuid.UUID(int=2**127 + 1))
    row = {"item_id": "i", "quantity": -2.0, "value": -7.5}
    rows = [{**ROW, **row, "user_id": str(2**64 - 1)}, {**ROW, **row, "user_id": unique, "price": -3.25}]
    first, second = read_events(write(tmp_path / "e", rows))
    assert (first.user_id, second.user_id) == ("18446744073709551615", unique)
    assert (first.value, second.value) == (-7.5, -7.5)
    assert first.items == (Item("i", quantity=-2.0),)
    assert second.items == (Item("i", price=-3.25, quantity=-2.0),)


@every_kind
def test_of_an_unknown_type_only_the_required_fields_are_checked(tmp_path: Path, write: Write) -> None:
    rows = [{**ROW, "type": "page_ping", "value": 1e16}, {**ROW, "value": 2.0}]
    counts = ReadCounts()
    assert [event.value for event in read_events(write(tmp_path / "e", rows), counts)] == [2.0]
    assert counts == ReadCounts(events=1, skipped=1, types=Counter({"page_ping": 1}))
    nameless = [{**ROW, "type": "page_ping", "user_id": ""}]
    assert "user_id" in problem(write(tmp_path / "n", nameless))


def test_of_an_unknown_type_csv_may_hold_any_text_in_other_columns(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "e", [{**ROW, "type": "page_ping", "value": "n/a"}])
    assert list(read_events(path)) == []


def test_files_without_an_event(tmp_path: Path) -> None:
    assert list(read_events(written(tmp_path / "e.ndjson", ""))) == []
    assert list(read_events(written(tmp_path / "e.csv", "event_id,user_id,type,timestamp\n"))) == []
    columns = {name: pa.array([], pa.string()) for name in ROW}
    assert list(read_events(parquet(tmp_path / "e.parquet", columns))) == []
    assert "0 bytes" in problem(written(tmp_path / "nothing.parquet", b""))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
        (pa.array([-(2**63)]).dictionary_encode(), "-9223372036854775808"),
        (pa.array([Decimal(10**30)], pa.decimal128(38, 0)), str(10**30)),
        (pa.array([uuid.UUID(int=5).bytes], pa.uuid()), "00000000-0000-0000-0000-000000000005"),
        (pa.array(["u"], pa.string_view()), "u"),
    ],
)
def test_ids_of_parquet_are_read_as_text(tmp_path: Path, ids: Any, expected: str) -> None:
    columns = {name: [value] for name, value in ROW.items()} | {"user_id": ids}
    [event] = read_events(parquet(tmp_path / "e.parquet", columns))
    assert event.user_id == expected


def test_parquet_with_lists_of_items_null_and_empty(tmp_path: Path) -> None:
    item = pa.struct([("item_id", pa.int64()), ("price", pa.float32()), ("shelf", pa.string())])
    lists = [[{"item_id": 1, "price": 0.5}, {"item_id": 2}], None, [], [{"item_id": 3}]]
    path = parquet(
        tmp_path / "e.parquet",
        {
            "event_id": ["1", "2", "3", "4"],
            "user_id": ["u"] * 4,
            "type": ["view"] * 4,
            "timestamp": [MOMENT_MS] * 4,
            "items": pa.array(lists, pa.list_(item)),
        },
    )
    assert [event.items for event in read_events(path)] == [
        (Item("1", None, None, 0.5), Item("2")),
        (),
        (),
        (Item("3"),),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user_id": [1.5]}, "column user_id: the type is double, and text, integers or UUIDs are needed"),
        (
            {"timestamp": pa.array([MOMENT_MS], pa.timestamp("ms"))},
            "column timestamp: the type is timestamp[ms]",
        ),
        ({"value": ["7"]}, "column value: the type is string, and numbers are needed"),
        ({"items": [["i1"]]}, "column items"),
        ({"items": [[{"price": "x"}]]}, "column price"),
        ({"user_id": [None]}, "row 1, column user_id: "),
        ({"user_id": ["u" * 257]}, "row 1, column user_id: "),
        ({"user_id": ["u\0"]}, "row 1, column user_id: "),
        ({"user_id": [Decimal("1.5")]}, "the type is decimal128(2, 1), and text, integers or UUIDs are"),
        ({"value": [float("inf")]}, "row 1, column value: "),
        ({"timestamp": ["2017-03-02"]}, "row 1, column timestamp: "),
        ({"timestamp": [MOMENT_MS // 1000]}, "row 1, column timestamp: "),
    ],
)
def test_a_wrong_column_or_row_of_parquet_is_named(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    columns = {name: [value] for name, value in ROW.items()} | changes
    assert expected in problem(parquet(tmp_path / "e.parquet", columns))


def test_parquet_without_a_required_column(tmp_path: Path) -> None:
    assert "no column type, timestamp" in problem(
        parquet(tmp_path / "e.parquet", {"event_id": ["1"], "user_id": ["2"]})
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


HEADER, CELLS = "event_id,user_id,type,timestamp,query", f'e1,u7,view,{MOMENT},"a, b; c"'


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
