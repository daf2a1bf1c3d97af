"""Files that others wrote: what is understood, and how what is wrong is named."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import ConfigurationError
from schemas.event import Event, Item
from streamer.data.files import ReadCounts, kind, read_events
from tests.unit.data.written_files import (
    EVENT,
    MOMENT,
    MOMENT_MS,
    ROW,
    Write,
    as_csv,
    every_kind,
    parquet,
    problem,
    written,
)


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
