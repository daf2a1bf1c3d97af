"""What commands say of rows that they left out: the same words and figures, whichever command reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError, InputFileError
from schemas.timestamps import format_timestamp
from streamer.cli import run
from streamer.cli.left_out import counted_rows
from streamer.data.files.rows import FUTURE, UNKNOWN_TYPE, LeftOut

DAY_MS = 86_400_000
START_MS = 1_483_228_800_000
BUNDLE = Path(__file__).parents[3] / "streamer" / "demo" / "bundle"
MISSPELT = {(6, 1), (0, 3)}
FIGURES = {"rows": 3, "types": {"Purchase": 2}, "other_types": 0, "in_future": 1}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A purchase a day by each of 20 users, of whom some leave; two misspelt, and one in the year 9999."""
    path = tmp_path / "events.csv"
    rows = [
        f"e{day}-{user},u{user},{'P' if (day, user) in MISSPELT else 'p'}urchase,{START_MS + day * DAY_MS}"
        for day in range(200)
        for user in range(20)
        if day % (user + 2) == 0 and (user % 2 or day < 40 + 3 * user)
    ]
    content = ["event_id,user_id,type,timestamp", *rows, "far,u1,purchase,9999-12-31T00:00:00Z"]
    path.write_text("\n".join(content))
    return path


@pytest.fixture
def misspelt(tmp_path: Path) -> Path:
    path = tmp_path / "all.csv"
    path.write_text(f"event_id,user_id,type,timestamp\ne1,u1,Purchase,{START_MS}\n")
    return path


def at(day: int) -> str:
    return format_timestamp(START_MS + day * DAY_MS)


def options(command: str, events: Path) -> list[str]:
    if command == "uplift":
        decisions = events.with_name("decisions.ndjson")
        decisions.write_text("")
        return ["--decisions", str(decisions), "--events", str(events)]
    moment = "--from" if command == "backtest" else "--at"
    return [str(events), "--bundle", str(BUNDLE), moment, at(120)]


@pytest.mark.parametrize("command", ["score", "uplift", "evaluate", "backtest"])
def test_a_command_tells_what_it_left_out(
    command: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = shop.with_name("report.json")
    assert run([command, *options(command, shop), "--report", str(report)]) == 0
    told = capsys.readouterr().err
    rows = len(shop.read_text().splitlines()) - 1
    assert f"warning: 2 of {rows} rows were left out, of unknown types: 'Purchase' 2 (purchase?)" in told
    assert f"warning: 1 of {rows} rows were left out, of times more than a day ahead of this" in told
    assert f"the first in {shop}, row {rows + 1}: 9999-12-31T00:00:00Z" in told
    assert json.loads(report.read_bytes())["left_out"] == FIGURES


@pytest.mark.parametrize("command", ["score", "uplift", "evaluate", "backtest", "train"])
def test_nothing_but_rows_that_are_left_out_is_refused(
    command: str, misspelt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(misspelt.with_name("bundle"))
    arguments = [str(misspelt), "--out", out] if command == "train" else options(command, misspelt)
    assert run([command, *arguments]) == 1
    [error] = capsys.readouterr().err.splitlines()
    assert error == (
        "error: there is no event to work with: 1 of 1 rows were left out, of unknown types: "
        "'Purchase' 1 (purchase?)"
    )


def fail_after(row: LeftOut, error: Exception, events: int) -> None:
    with counted_rows() as counts:
        counts.events = events
        counts.leave_out(row)
        raise error


def test_a_command_that_fails_tells_it_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    row = LeftOut(UNKNOWN_TYPE, "Purchase\x1b[2J", "e.csv, row 2")
    with pytest.raises(ConfigurationError):
        fail_after(row, ConfigurationError("too little"), events=1)
    assert capsys.readouterr().err == (
        "warning: 1 of 2 rows were left out, of unknown types: 'Purchase\\x1b[2J' 1\n"
    )


def test_a_wrong_row_is_not_hidden_by_what_was_left_out() -> None:
    row = LeftOut(FUTURE, "9999", "e.csv, row 2")
    with pytest.raises(InputFileError, match="row 3"):
        fail_after(row, InputFileError("e.csv, row 3: wrong"), events=0)
