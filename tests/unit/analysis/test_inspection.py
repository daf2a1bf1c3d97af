"""``streamer inspect``: what it counts, what it advises, and where it says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from schemas.event import Event, Item
from schemas.timestamps import format_timestamp
from streamer.analysis.inspection.advice import Weight, advice_on
from streamer.analysis.inspection.collected import Collected
from streamer.analysis.inspection.figures import Figures, figures_of
from streamer.cli import run
from streamer.data.files import write_events
from streamer.data.files.rows import FUTURE, UNKNOWN_TYPE, LeftOut, Row, Unreadable

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_483_228_800_000


def purchase(user: int, at_ms: int, value: float | None = 5.0, currency: str | None = "EUR") -> Event:
    return Event(f"e{user}-{at_ms}", f"u{user}", "purchase", START_MS + at_ms, value=value, currency=currency)


def shop(users: int = 600, days: int = 200) -> list[Event]:
    """Purchases of each user every ten days at a time of its own; a third leaves on the hundred-fiftieth."""
    events = [
        purchase(user, day * DAY_MS + user * 137_000)
        for user in range(users)
        for day in range(user % 10, days, 10)
        if user % 3 or day < 150
    ]
    return sorted(events, key=lambda event: event.timestamp)


def inspected(*files: Iterable[Row]) -> Figures:
    found = Collected()
    for rows in files:
        found.read(rows)
    return figures_of(found)


def texts(figures: Figures, weight: Weight) -> list[str]:
    return [one.text for one in advice_on(figures) if one.weight == weight]


def test_of_data_that_are_fit_nothing_is_to_mend() -> None:
    figures = inspected(shop())
    assert texts(figures, "stops") == []
    assert texts(figures, "mend") == []
    assert texts(figures, "know") == [
        "Nothing stops a training on these files: streamer train FILE... --out DIR."
    ]
    assert (figures.users.users, figures.users.active, figures.users.stayed) == (600, 600, 400)


def test_events_users_and_times_are_counted() -> None:
    events = [
        purchase(1, 0),
        purchase(1, DAY_MS),
        purchase(1, DAY_MS),
        Event("v", "u2", "view", START_MS + HOUR_MS),
    ]
    figures = inspected(events, [Event("other-id", "u1", "purchase", START_MS)])
    assert (figures.rows, figures.events, figures.types) == (5, 5, {"view": 1, "purchase": 4})
    assert (figures.repeated, figures.same_moment) == (1, 1)
    assert (figures.users.users, figures.users.buyers, figures.users.repeat_buyers) == (2, 1, 1)
    assert figures.times is not None
    assert (figures.times.first, figures.times.days) == (format_timestamp(START_MS), 1.0)
    # Of the second file nothing is late: order is within a file.
    assert (figures.times.late, figures.times.latest_s) == (1, 23 * 3_600)
    assert (figures.amounts.currencies, figures.amounts.without_amount) == ({"EUR": 3, "": 1}, 1)


def test_an_amount_may_be_a_sum_of_prices() -> None:
    def with_items(*prices: float | None) -> Event:
        return replaced(purchase(1, 0, value=None), items=tuple(Item("i", price=price) for price in prices))

    rows = [with_items(), with_items(2.0), with_items(2.0, None), purchase(1, 0, value=-1.0)]
    amounts = inspected(rows).amounts
    assert (amounts.purchases, amounts.without_amount, amounts.negative) == (4, 2, 1)


def replaced(event: Event, **changes: object) -> Event:
    fields = {name: getattr(event, name) for name in Event.__struct_fields__}
    return Event(**{**fields, **changes})  # type: ignore[arg-type]


def without_last_purchases(events: list[Event]) -> list[Event]:
    end_ms = events[-1].timestamp
    views = [replaced(event, type="view") for event in events if event.timestamp > end_ms - 29 * DAY_MS]
    return events[: -len(views)] + views


WRONG = Unreadable("bad-timestamp", "timestamp", "e.csv, row 7, column timestamp: wrong")


@pytest.mark.parametrize(
    ("change", "weight", "expected"),
    [
        (lambda _: [], "stops", "no event to learn from"),
        (
            lambda rows: [*rows, WRONG, WRONG],
            "stops",
            "2 rows are no events, and a command stops at the first",
        ),
        (
            lambda rows: [*rows, LeftOut(UNKNOWN_TYPE, "Purchase", "")],
            "mend",
            "write purchase if it is meant",
        ),
        (lambda rows: [*rows, LeftOut(UNKNOWN_TYPE, "page_ping", "")], "know", "not the contract's"),
        (
            lambda rows: [*rows, LeftOut(FUTURE, "9999", "e.csv, row 7")],
            "mend",
            "the first in e.csv, row 7: 9999",
        ),
        (lambda rows: [*rows, rows[-1]], "know", "1 events have an id that their user has already"),
        (
            lambda rows: [copy for row in rows for copy in (row, replaced(row, event_id=row.event_id + "'"))],
            "mend",
            "lines of one order",
        ),
        (lambda rows: rows[:3_000], "stops", "a --horizon of at most 16d"),
        (lambda rows: [replaced(row, type="view") for row in rows], "stops", "--churn-types any"),
        (without_last_purchases, "stops", "none bought again"),
        (lambda rows: [row for row in rows if int(row.user_id[1:]) % 3], "stops", "all bought again"),
        (
            lambda rows: [row for row in rows if int(row.user_id[1:]) < 60],
            "mend",
            "Only 60 users had an event",
        ),
        (
            lambda rows: [replaced(row, user_id=f"{row.user_id}-{at}") for at, row in enumerate(rows)],
            "mend",
            "buyers bought twice: see that user_id is the customer's",
        ),
        (
            lambda rows: [replaced(row, timestamp=row.timestamp // DAY_MS * DAY_MS) for row in rows],
            "mend",
            "as dates without a time have",
        ),
        (
            lambda rows: [row for row in rows if not 60 <= (row.timestamp - START_MS) / DAY_MS < 70],
            "mend",
            "There is no event for 10",
        ),
        (
            lambda rows: [purchase(0, -4_000 * DAY_MS), *rows],
            "mend",
            "the others from 2006-",
        ),
        (lambda rows: rows[::-1], "know", "older than one before them in their file"),
        (lambda rows: [*rows, purchase(1, 10**10, currency="USD")], "mend", "2 currencies (EUR, USD)"),
        (
            lambda rows: [replaced(row, value=None) for row in rows],
            "mend",
            "purchases have neither a value nor a price",
        ),
        (lambda rows: [*rows, purchase(1, 10**10, value=-3.0)], "mend", "1 purchases have a negative value"),
    ],
)
def test_what_is_not_fit_is_said(
    change: Callable[[list[Event]], list[Row]], weight: Weight, expected: str
) -> None:
    told = texts(inspected(change(shop())), weight)
    assert any(expected in text for text in told), told


def test_room_is_bounded_whatever_the_rows_hold() -> None:
    found = Collected()
    found.read(purchase(1, number, currency=f"C{number}") for number in range(300))
    found.read(Unreadable("wrong-type", f"items[{number}].price", "m") for number in range(300))
    found.read(Unreadable("wrong-type", f"f{number}", "m") for number in range(300))
    assert len(found.currencies) <= 100
    assert len(found.wrong) <= 101
    assert sum(one.rows for one in found.wrong.values()) == 600
    assert found.wrong["wrong-type", "items"].rows == 300


class Assets(HTMLParser):
    """Every address that a page would load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {value}" for name, value in attrs if name in ("src", "href")]


def test_the_command_shows_writes_and_draws_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.parquet", tmp_path / "<bad>.csv"
    write_events(good, shop())
    bad.write_text(
        "event_id,user_id,type,timestamp,value\n"
        f"e1,u1,Purchase,{START_MS},1\n"
        f"e2,u1,purchase,{START_MS // 1000},1\n"
        f"e3,u1,purchase,{START_MS * 1000},1\n"
        "e4,u1,purchase,1970-01-01T00:00:00Z,1\n"
        "e5,u1,purchase,0,1\n"
        "e6,u1,purchase\n"
        f"e7,u1,purchase,{START_MS},two\n"
        "e8,u1,<b>,9999-12-31T00:00:00Z,1\n"
    )
    report, html = tmp_path / "report.json", tmp_path / "page.html"
    assert run(["inspect", str(good), str(bad), "--report", str(report), "--html", str(html)]) == 0
    shown = capsys.readouterr().out
    found = json.loads(report.read_bytes())
    assert found["files"] == [str(good), str(bad)]
    assert found["figures"]["rows"] == found["figures"]["events"] + 8
    kinds = {(one["kind"], one["field"]) for one in found["figures"]["wrong"]}
    assert kinds == {
        ("time in seconds", "timestamp"),
        ("time in microseconds", "timestamp"),
        ("timestamp-too-early", "timestamp"),
        ("time of 1970", "timestamp"),
        ("wrong-number-of-cells", ""),
        ("wrong-type", "value"),
    }
    assert found["figures"]["unknown_types"][0] == {"spelling": "Purchase", "rows": 1, "meant": "purchase"}
    drawn = html.read_text()
    for one in found["advice"]:
        assert f": {one['text']}\n" in shown
    assert "&lt;bad&gt;.csv" in drawn
    assert "&#x27;&lt;b&gt;&#x27;" in drawn
    assets = Assets()
    assets.feed(drawn)
    assert assets.found == []
    assert "url(" not in drawn


def test_a_file_without_events_is_inspected_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "e.ndjson"
    path.write_text("")
    assert run(["inspect", str(path)]) == 0
    assert "Stops training: There is no event to learn from." in capsys.readouterr().out
    assert run(["inspect", str(path), "--html", str(tmp_path / "no" / "p.html")]) == 2
    assert "--html" in capsys.readouterr().err
