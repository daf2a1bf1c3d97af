"""Public sources on small files of their formats: what becomes an event, what is skipped, what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from schemas.errors import ChurnStreamerError, ConfigurationError, InputFileError
from schemas.event import Event, Item
from schemas.timestamps import parse_timestamp
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event
from streamer.cli import run
from streamer.data.datasets import SOURCES, dataset_events
from streamer.data.files import read_events

ONLINE_RETAIL = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536366,22633,"HAND WARMER, UNION JACK",6,12/1/2010 8:28,1.85,17850,United Kingdom
536365,85123A,"WHITE \u00a3 HOLDER",6,12/1/2010 8:27,2.55,17850,United Kingdom
536365,POST,POSTAGE,1,12/1/2010 8:26,18,17850,United Kingdom
536365,22960,SAMPLE,12,12/1/2010 8:26,0,17850,United Kingdom
C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom
C536379,22633,HAND WARMER,-2,12/1/2010 9:41,1.85,14527,United Kingdom
536380,22633,HAND WARMER,4,12/1/2010 9:50,1.85,14527,United Kingdom
536380,22960,GIVEN BACK,-1,12/1/2010 9:50,2,14527,United Kingdom
536414,22139,,56,12/1/2010 11:52,0,,United Kingdom
A563185,B,Adjust bad debt,1,8/12/2011 14:50,11062.06,14527,United Kingdom
"""
CDNOW = """\
 00001 19970101  1   11.77\r
 00002 19970112  5   77.00\r
 00002 19970112  1   12.00\r
 00003 19970102  2    0.00\r
"""
TAOBAO = """\
7,102,11,buy,1511539201
7,101,11,buy,1511539201
7,100,10,pv,1511539200
7,100,10,pv,1511539200
7,100,10,fav,1511539200
8,100,10,cart,1512316799
8,100,10,pv,1512316800
8,100,10,pv,-1500000000
9,100,10,p"""
RETAILROCKET = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433221332117,257597,view,355908,
1433222276276,599528,transaction,356475,4000
1433222276270,599528,transaction,15335,4000
1433222276000,599528,addtocart,356475,
"""
REES46 = """\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:02 UTC,purchase,1004856,2053013555631882655,electronics.phone,samsung,130.76,543272936,s-1
2019-10-01 00:00:02 UTC,purchase,1002532,2053013555631882655,,,100.01,543272936,s-1
2019-10-01 00:00:02 UTC,purchase,1002532,2053013555631882655,,,100.01,543272936,s-1
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,s-2
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,aqua,,554748717,
2019-10-01 00:00:01 UTC,remove_from_cart,3900821,2053013552326770905,,,33.2,554748717,s-3
"""
FILES = {
    "online-retail": ("table.csv", ONLINE_RETAIL),
    "cdnow": ("CDNOW_master.txt", CDNOW),
    "taobao": ("UserBehavior.csv", TAOBAO),
    "retailrocket": ("events.csv", RETAILROCKET),
    "rees46": ("2019-Oct.csv", REES46),
}


def made(name: str, folder: Path, text: str | None = None) -> tuple[list[Event], Counter[str]]:
    """The events of a source's small file, and what was skipped."""
    file_name, example = FILES[name]
    path = folder / file_name
    path.write_bytes((example if text is None else text).encode())
    skipped: Counter[str] = Counter()
    return list(dataset_events(name, path, skipped)), skipped


def ms(text: str) -> int:
    return parse_timestamp(text)


def test_online_retail_has_an_event_for_each_invoice(tmp_path: Path) -> None:
    events, skipped = made("online-retail", tmp_path)
    assert events == [
        Event(
            "536365",
            "17850",
            "purchase",
            ms("2010-12-01T08:26:00Z"),
            (
                Item("85123A", price=2.55, quantity=6),
                Item("POST", price=18, quantity=1),
                Item("22960", price=0, quantity=12),
            ),
            33.3,
            "GBP",
        ),
        Event(
            "536366",
            "17850",
            "purchase",
            ms("2010-12-01T08:28:00Z"),
            (Item("22633", price=1.85, quantity=6),),
            11.1,
            "GBP",
        ),
        Event(
            "C536379",
            "14527",
            "refund",
            ms("2010-12-01T09:41:00Z"),
            (Item("D", price=27.5, quantity=1), Item("22633", price=1.85, quantity=2)),
            31.2,
            "GBP",
        ),
        Event(
            "536380",
            "14527",
            "purchase",
            ms("2010-12-01T09:50:00Z"),
            (Item("22633", price=1.85, quantity=4), Item("22960", price=2, quantity=-1)),
            5.4,
            "GBP",
        ),
    ]
    assert skipped == {"lines without a customer": 1, "lines of adjustments": 1}


def test_online_retail_as_parquet_gives_the_same_events(tmp_path: Path) -> None:
    events, _ = made("online-retail", tmp_path)
    head, *lines = (
        ONLINE_RETAIL.replace("HAND WARMER, UNION JACK", "HAND WARMER").replace('"', "").splitlines()
    )
    cells = [line.split(",") for line in lines]
    columns = {name: [row[place] or None for row in cells] for place, name in enumerate(head.split(","))}
    table = pa.table(
        {
            **{name: columns[name] for name in ("InvoiceNo", "StockCode", "Description", "Country")},
            **{
                name: [None if v is None else float(v) for v in columns[name]]
                for name in ("Quantity", "UnitPrice")
            },
            "CustomerID": [None if v is None else float(v) for v in columns["CustomerID"]],
            "InvoiceDate": pa.array(
                [datetime.strptime(str(v), "%m/%d/%Y %H:%M") for v in columns["InvoiceDate"]],
                pa.timestamp("us"),
            ),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet")
    assert list(dataset_events("online-retail", tmp_path / "table.parquet")) == events


def test_cdnow_has_a_purchase_for_each_line(tmp_path: Path) -> None:
    events, skipped = made("cdnow", tmp_path)
    assert [(e.event_id, e.user_id, e.timestamp, e.value, e.items) for e in events] == [
        ("00001-19970101-01", "00001", ms("1997-01-01T00:00:00Z"), 11.77, (Item(price=11.77, quantity=1),)),
        ("00003-19970102-01", "00003", ms("1997-01-02T00:00:00Z"), 0.0, (Item(price=0.0, quantity=2),)),
        ("00002-19970112-01", "00002", ms("1997-01-12T00:00:00Z"), 77.0, (Item(price=15.4, quantity=5),)),
        ("00002-19970112-02", "00002", ms("1997-01-12T00:00:00Z"), 12.0, (Item(price=12.0, quantity=1),)),
    ]
    assert not skipped
    names = " customer_id  date number_of_cds  dollar_value\n"
    assert made("cdnow", tmp_path, names + CDNOW)[0] == events


def test_taobao_merges_what_is_bought_at_once_and_skips_wrong_times(tmp_path: Path) -> None:
    events, skipped = made("taobao", tmp_path)
    assert [(e.event_id, e.type, [i.item_id for i in e.items]) for e in events] == [
        ("7-1511539200-fav-100", "favorite", ["100"]),
        ("7-1511539200-pv-100", "view", ["100"]),
        ("7-1511539201-buy", "purchase", ["102", "101"]),
        ("8-1512316799-cart-100", "add_to_cart", ["100"]),
    ]
    assert events[0].timestamp == 1_511_539_200_000
    assert events[0].items[0].category == "10"
    assert skipped == {
        "repeated rows": 1,
        "rows outside the nine days": 2,
        "rows cut off at the file's end": 1,
    }


def test_retailrocket_merges_the_rows_of_a_transaction(tmp_path: Path) -> None:
    events, skipped = made("retailrocket", tmp_path)
    assert [(e.event_id, e.user_id, e.type, e.timestamp, [i.item_id for i in e.items]) for e in events] == [
        ("257597-1433221332117-view-355908", "257597", "view", 1433221332117, ["355908"]),
        ("599528-1433222276000-addtocart-356475", "599528", "add_to_cart", 1433222276000, ["356475"]),
        ("transaction-4000", "599528", "purchase", 1433222276270, ["356475", "15335"]),
    ]
    assert events[2].value is None
    assert skipped == {"repeated rows": 1}


def test_rees46_merges_what_is_bought_at_once(tmp_path: Path) -> None:
    events, skipped = made("rees46", tmp_path)
    assert [(e.event_id, e.type, e.value, e.session_id) for e in events] == [
        ("541312140-s-2-1569888000-view-44600062", "view", None, "s-2"),
        ("554748717--1569888001-cart-3900821", "add_to_cart", None, None),
        ("554748717-s-3-1569888001-remove_from_cart-3900821", "remove_from_cart", None, "s-3"),
        ("543272936-s-1-1569888002-purchase", "purchase", 230.77, "s-1"),
    ]
    assert events[0].items == (Item("44600062", "2103807459595387724", "shiseido", 35.79, 1),)
    assert events[1].items[0].price is None
    assert events[3].items == (
        Item("1004856", "electronics.phone", "samsung", 130.76, 1),
        Item("1002532", "2053013555631882655", None, 100.01, 1),
    )
    assert skipped == {"repeated rows": 1}


@pytest.mark.parametrize("name", FILES)
def test_compressed_files_give_the_same_events(name: str, tmp_path: Path) -> None:
    events, _ = made(name, tmp_path)
    file_name, example = FILES[name]
    (tmp_path / f"{file_name}.gz").write_bytes(gzip.compress(example.encode()))
    (tmp_path / f"{file_name}.zst").write_bytes(zstandard.compress(example.encode()))
    assert list(dataset_events(name, tmp_path / f"{file_name}.gz")) == events
    assert list(dataset_events(name, tmp_path / f"{file_name}.zst")) == events


@pytest.mark.parametrize("name", FILES)
def test_events_are_of_the_contract_sorted_and_of_distinct_ids(name: str, tmp_path: Path) -> None:
    events, _ = made(name, tmp_path)
    keys = [(event.timestamp, event.event_id) for event in events]
    assert keys == sorted(set(keys))
    for event in events:
        assert decode_event(encode_event(event), None, event.timestamp) == event


@pytest.mark.parametrize("name", FILES)
def test_the_command_writes_the_same_file_each_time_and_says_what_it_skipped(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, skipped = made(name, tmp_path)
    source = str(tmp_path / FILES[name][0])
    report = tmp_path / "report.json"
    for out in ("a.parquet", "b.parquet"):
        command = ["dataset", name, "--from", source, "--out", str(tmp_path / out), "--report", str(report)]
        assert run(command) == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert list(read_events(tmp_path / "a.parquet")) == events
    figures = json.loads(report.read_text())
    assert figures["events"] == len(events)
    assert figures["skipped"] == dict(skipped)
    said = capsys.readouterr().err
    for reason, count in skipped.items():
        assert f"skipped: {count} {reason}" in said


@pytest.mark.parametrize("name", FILES)
def test_a_source_without_its_file_says_which_one_it_needs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SOURCES[name].file
    assert run(["dataset", name, "--out", str(tmp_path / "events.csv")]) == 2
    assert f"{name} needs a file: --from FILE, " in capsys.readouterr().err
    assert not (tmp_path / "events.csv").exists()


@pytest.mark.parametrize(
    ("name", "found", "instead", "message"),
    [
        ("online-retail", "InvoiceNo", "Invoice", r"row 1: no column InvoiceNo; expected a header with"),
        ("online-retail", ",6,12/1", ",six,12/1", r"row 2, column Quantity: 'six' is not a number"),
        ("online-retail", "12/1/2010 8:28", "1.12.2010", r"row 2, column InvoiceDate: '1.12.2010' is not"),
        ("online-retail", ",17850,", ",V7850,", r"row 2, column CustomerID: 'V7850' is not a number"),
        ("online-retail", "536414,22139,,56", "536414,22139,56", r"row 10: 7 cells under 8 columns"),
        ("online-retail", "536380,22960", "536366,22960", r"row 9, column CustomerID: '14527' is not 17850"),
        ("cdnow", "19970112", "19971312", r"row 2, column date: '19971312' is not a day as 19970101"),
        ("cdnow", "77.00", "nan", r"row 2, column dollar_value: 'nan' is not a number"),
        ("cdnow", "00002", "x", r"row 2, column customer_id: 'x' is not a customer's number"),
        ("cdnow", "  5", "  -5", r"row 2, column number_of_cds: '-5' is not a number of pieces"),
        ("cdnow", "  5", "", r"row 2: 3 values, expected customer_id, date"),
        ("taobao", "8,100,10,cart", "8,100,cart", r"row 6: 4 cells, expected user, item, category"),
        ("taobao", "fav", "like", r"row 5, column type: 'like' is not one of pv, cart, fav, buy"),
        ("taobao", "1512316799", "noon", r"row 6, column timestamp: 'noon' is not a whole number"),
        ("retailrocket", "visitorid", "visitor", r"row 1: no column visitorid"),
        ("retailrocket", "addtocart", "cart", r"row 6, column event: 'cart' is not one of view, addtocart"),
        ("retailrocket", ",15335,4000", ",15335,", r"row 5, column transactionid: '' is not a transaction"),
        ("retailrocket", "1433222276000", "1433222276", r"row 6, column timestamp: '1433222276' is not a"),
        ("retailrocket", "270,599528", "270,1", r"row 5, column visitorid: '1' is not 599528"),
        ("rees46", "2019-10-01 00:00:00 UTC", "2019-10-01 00:00:00", r"row 5, column event_time: '2019-"),
        ("rees46", "35.79", "free", r"row 5, column price: 'free' is not a number"),
        ("rees46", ",remove_from_cart", ",remove", r"row 7, column event_type: 'remove' is not one of view"),
        ("rees46", "541312140", "u1", r"row 5, column user_id: 'u1' is not a whole number"),
        ("rees46", ",s-3", ',"s-3', r"after row \d+: not CSV"),
    ],
)
def test_a_bad_row_is_named(name: str, found: str, instead: str, message: str, tmp_path: Path) -> None:
    text = FILES[name][1]
    assert found in text
    with pytest.raises(InputFileError, match=rf"{FILES[name][0]}.*{message}"):
        made(name, tmp_path, text.replace(found, instead, 1))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"a,b\n1,2\n", b'{"event_id":"e"}\n'])
def test_a_file_of_another_format_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / FILES[name][0]
    path.write_bytes(content)
    if not content and name in ("cdnow", "taobao"):
        assert list(dataset_events(name, path)) == []  # a table without a header may be empty
        return
    with pytest.raises(ChurnStreamerError, match=rf"{path.name}.*(expected|no column)"):
        list(dataset_events(name, path))


def test_a_damaged_or_other_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(InputFileError, match="cannot be read as Parquet"):
        list(dataset_events("online-retail", path))
    pq.write_table(pa.table({"InvoiceNo": ["1"]}), path)
    with pytest.raises(InputFileError, match=r"no column StockCode, Quantity"):
        list(dataset_events("online-retail", path))


def test_a_file_for_a_source_that_takes_none_is_wrong_use(tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text("")
    arguments = ["dataset", "complete-journey", "--from", str(source), "--out", str(tmp_path / "out.csv")]
    assert run(arguments) == 2
    assert ConfigurationError.exit_code == 2
