"""``streamer backtest`` and ``streamer evaluate`` with a bundle that foretells who comes less than usual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.decline import FirstRaises
from streamer.cli import run
from streamer.data.files import write_events
from tests.tiny_training import START_MS, shop_events, train_decline

TARGETS = ("absence", "decline")
DECLINE_MODELS = ["bundle", "overdue", "recency", "rfm", "lightgbm", "absence"]


def day(number: float) -> str:
    return format_timestamp(START_MS + round(number * DAY_MS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on the first eighty days of a small shop, and all of its events."""
    folder = tmp_path_factory.mktemp("decline")
    train_decline(folder / "bundle", until_day=80)
    write_events(folder / "shop.ndjson", sorted(shop_events(), key=lambda event: event.timestamp))
    return folder


def backtest(folder: Path, *options: str) -> int:
    bundle = str(folder / "bundle")
    return run(["backtest", str(folder / "shop.ndjson"), "--bundle", bundle, "--from", day(80), *options])


def test_the_command_reports_first_raises_beside_the_judgement_by_absence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = folder / "report.json"
    assert backtest(folder, "--to", day(94), "--alerts-a-week", "5", "--report", str(report)) == 0
    figures = json.loads(report.read_text())
    names = ["policy", "bundle", "absence", "recency", "rfm", "overdue", "lightgbm"]
    assert [row["alerts"] for row in figures["rows"]] == names
    assert (figures["to"], figures["window_days"]) == (day(94), 20.0)
    for row in figures["rows"]:
        assert set(FirstRaises.__struct_fields__) < set(row)
        assert row["judgement"]["alerts"] >= row["judged"]
    assert figures["rows"][1]["early_share"] == 0.0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["alerts", *names, "first", *names]
    assert f"{figures['rows'][-1]['shortfall']:.1f}" in shown[-1]


def test_a_period_beyond_what_can_be_judged_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtest(folder, "--to", day(110)) == 2
    told = capsys.readouterr().err
    assert "the 20 days after it are not in the files: give a --to of 2017-04-" in told
    assert backtest(folder, "--to", day(70)) == 2
    assert "--to must be later than --from" in capsys.readouterr().err


def evaluate(folder: Path, *options: str) -> int:
    return run(["evaluate", str(folder / "shop.ndjson"), "--bundle", str(folder / "bundle"), *options])


def test_declines_are_judged_beside_absence_where_their_window_is_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page, tables = folder / "judged.json", folder / "page.html", folder / "tables.md"
    files = ["--report", str(report), "--html", str(page), "--markdown", str(tables)]
    assert evaluate(folder, "--at", f"{day(85)},{day(95)},{day(105)}", *files) == 0
    figures = json.loads(report.read_text())
    rows = {target: [row for row in figures["rows"] if row["target"] == target] for target in TARGETS}
    assert len(rows["absence"]) + len(rows["decline"]) == len(figures["rows"])
    # The window of day 105 reaches beyond the files' end, its horizon does not.
    assert {row["at"] for row in rows["absence"]} == {None, day(85), day(95), day(105)}
    assert {row["at"] for row in rows["decline"]} == {None, day(85), day(95)}
    assert figures["not_judged_by_decline"] == [day(105)]
    assert [row["model"] for row in rows["decline"][:6]] == DECLINE_MODELS
    for row in rows["decline"]:
        assert row["horizon_days"] == figures["window_days"] == 20
        assert row["auroc_lo"] <= row["auroc"] <= row["auroc_hi"]
        assert 0 <= row["brier"] <= 1
        assert 0 <= row["ece"] <= 1
    assert {each["target"] for each in figures["differences"]} == set(TARGETS)
    assert {each["target"] for each in figures["segments"]} == set(TARGETS)
    shown = capsys.readouterr().out
    assert f"Not judged by decline: {day(105)}" in shown
    assert "### Decline: models" in shown
    assert "Decline: by activity" not in shown
    assert "### Decline: by activity" in tables.read_text()
    assert "<h2>Decline: models</h2>" in page.read_text()


def test_alerts_beside_an_evaluation_are_judged_by_decline_too(folder: Path) -> None:
    report = folder / "alerts.json"
    assert evaluate(folder, "--at", day(85), "--alerts-a-week", "5", "--report", str(report)) == 0
    alerts = json.loads(report.read_text())["alerts"]
    assert [row["alerts"] for row in alerts] == ["bundle", "absence", "recency", "rfm", "overdue", "lightgbm"]
    assert all(row["shortfall"] is not None for row in alerts)
