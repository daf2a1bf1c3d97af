"""``streamer evaluate`` from files and a bundle to its figures, its tables and its page."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from models.data.histories import collect
from models.evaluation.candidates import of_model
from models.evaluation.cut import cuts_at
from models.recipe import Task
from schemas.event import Event, Item
from schemas.timestamps import parse_instant
from schemas.units import DAY_MS
from streamer.cli import run
from streamer.core.model.risk_metrics import auroc
from streamer.data.files import read_events, write_events
from streamer.inference.bundle import load_bundle
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import DEMO_BUNDLE

MODELS: Final = ["bundle", "recency", "rfm", "lightgbm", "bgnbd"]
VOID: Final = {"meta", "br", "img", "link", "input", "hr"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of households that come at rates of their own, with baskets, until some of them stop."""
    random = np.random.default_rng(3)
    start = parse_instant("2017-01-01")
    events: list[Event] = []
    for user in range(100):
        day, gap = float(random.uniform(0, 20)), float(random.uniform(2, 14))
        while day < 364:
            moment = start + round(day * DAY_MS)
            items = tuple(
                Item(item_id=str(item), category=f"c{item % 9}", price=float(item % 17), quantity=1.0)
                for item in random.integers(1, 500, random.integers(1, 9)).tolist()
            )
            events.append(Event(f"{user}-{moment}", f"u{user}", "purchase", moment, items))
            day += (
                float(random.exponential(gap)) if random.random() > 0.03 else float(random.uniform(30, 400))
            )
    file = tmp_path_factory.mktemp("shop") / "events.parquet"
    write_events(file, events)
    return file


def evaluate(shop: Path, *options: str) -> int:
    return run(["evaluate", str(shop), "--bundle", str(DEMO_BUNDLE), *options])


@pytest.fixture(scope="module")
def judged(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that two cuts give."""
    out = tmp_path_factory.mktemp("judged")
    files = [
        *("--report", str(out / "report.json")),
        *("--html", str(out / "page.html")),
        *("--markdown", str(out / "tables.md")),
    ]
    assert evaluate(shop, "--at", "2017-11-01,2017-12-01", *files) == 0
    return out


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def by_absence(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of a report's parts that judge by absence; declines have tests of their own."""
    return [part for part in parts if part["target"] == "absence"]


def test_every_model_is_judged_on_every_cut_and_on_all(judged: Path) -> None:
    report = report_of(judged)
    cuts = [None, "2017-11-01T00:00:00Z", "2017-12-01T00:00:00Z"]
    rows = by_absence(report["rows"])
    assert [(row["at"], row["model"]) for row in rows] == [(at, model) for at in cuts for model in MODELS]
    for row in rows:
        assert row["dataset"] == "events"
        assert row["horizon_days"] == 28
        assert row["auroc_lo"] <= row["auroc"] <= row["auroc_hi"]
        assert 0 < row["base_rate"] < 1
        assert {"pr_auc", "log_loss", "brier", "ece", "lift10", "accuracy", "f1"} <= set(row)
        own = row["at"] is not None and row["model"] == "bundle"
        assert set(row["heads"]) == ({"spend_spearman", "next_action_perplexity"} if own else set())
    by_cut = [row["n"] for row in rows if row["model"] == "bundle"]
    assert by_cut[0] == sum(by_cut[1:])
    assert report["baselines_know_until"] == "2017-10-01T00:00:00Z"
    assert report["warning"] is None
    parts = [row for row in by_absence(report["segments"]) if row["at"] is None and row["model"] == "bundle"]
    assert sum(row["n"] for row in parts) == by_cut[0]
    best = {each["model"] for each in by_absence(report["differences"]) if each["best"]}
    pooled = {row["model"]: row["auroc"] for row in rows if row["at"] is None}
    assert best == {max(MODELS[1:], key=lambda model: pooled[model])}


def test_the_bundles_row_judges_the_scores_of_streamer_score(
    shop: Path, judged: Path, tmp_path: Path
) -> None:
    scored = tmp_path / "scores.ndjson"
    cut = "2017-12-01"
    assert run(["score", str(shop), "--bundle", str(DEMO_BUNDLE), "--at", cut, "--out", str(scored)]) == 0
    scores = {line["user_id"]: line["absence"] for line in map(json.loads, scored.read_text().splitlines())}
    at_ms, horizon_ms = parse_instant(cut), 28 * DAY_MS
    events = list(read_events(shop))
    (here,) = cuts_at(collect(events), [at_ms], Task(at_ms, horizon_ms, 60 * DAY_MS))
    users = sorted({event.user_id for event in events})
    risks = of_model(OnnxRiskModel(load_bundle(DEMO_BUNDLE), 64), lambda _done: None)(here)
    for user, risk in zip(here.user.tolist(), risks.tolist(), strict=True):
        assert risk == pytest.approx(scores[users[user]], abs=1e-6)
    # The same by hand: the last event of each user before the cut, and whether another came after it.
    active = {e.user_id for e in events if at_ms - 60 * DAY_MS <= e.timestamp < at_ms}
    back = {e.user_id for e in events if at_ms <= e.timestamp < at_ms + horizon_ms}
    by_hand = auroc([user not in back for user in sorted(active)], [scores[user] for user in sorted(active)])
    row = next(r for r in report_of(judged)["rows"] if r["at"] == "2017-12-01T00:00:00Z")
    assert row["n"] == len(active)
    assert row["auroc"] == pytest.approx(by_hand, abs=1e-3)


def test_the_same_run_gives_the_same_figures(shop: Path, judged: Path, tmp_path: Path) -> None:
    assert evaluate(shop, "--at", "2017-12-01,2017-11-01", "--report", str(tmp_path / "report.json")) == 0
    again, first = report_of(tmp_path), report_of(judged)
    assert again.pop("at") == first.pop("at")[::-1]
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


class Page(HTMLParser):
    """Counts a page's elements, and holds them against each other."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        assert not {"src", "href", "srcset", "data", "action"} & {name for name, _ in attrs}
        for _, value in attrs:
            assert "nan" not in (value or "").lower().split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_from_outside(judged: Path) -> None:
    source = (judged / "page.html").read_text()
    page = Page()
    page.feed(source)
    page.close()
    assert page.open == []
    assert page.counts["svg"] == page.counts["figure"] == 5
    assert page.counts["table"] == 7
    assert "script" not in page.counts
    assert "http" not in source
    assert "url(" not in source
    assert "@import" not in source
    text = " ".join(page.text)
    row = report_of(judged)["rows"][0]
    assert f"{row['auroc']:.3f} ({row['auroc_lo']:.3f} to {row['auroc_hi']:.3f})" in text
    for model in MODELS:
        assert model in text


def test_the_tables_hold_what_the_report_holds(
    shop: Path, judged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = (judged / "tables.md").read_text()
    assert written.count("\n### ") == 7
    lines = [line for line in written.splitlines() if line.startswith("|")]
    assert {len(line.split("|")) for line in lines} == {5, 7, 16}
    for row in report_of(judged)["rows"]:
        assert any(f" {row['model']} " in line and f"{row['brier']:.3f}" in line for line in lines)
    assert evaluate(shop, "--at", "2017-12-01") == 0
    shown = capsys.readouterr()
    assert "all cuts" not in shown.out
    assert "lightgbm" in shown.out
    assert shown.err == ""


def test_alerts_of_every_model_are_compared_at_one_budget(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--alerts-a-week", "2", "--report", str(tmp_path / "report.json")]
    assert evaluate(shop, "--at", "2017-10-15", *options) == 0
    alerts = report_of(tmp_path)["alerts"]
    assert [row["alerts"] for row in alerts] == ["bundle", "absence", "recency", "rfm", "overdue", "lightgbm"]
    assert all(row["judgement"]["alerts"] > 0 for row in alerts)
    assert len({row["judgement"]["departures"] for row in alerts}) == 1
    assert "Alerts at 2 a week, from 2017-10-15" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at", "2017-11-01,2017-11-01"], "--at names 2017-11-01T00:00:00Z twice"),
        (["--at", "2019-01-01"], "--at 2019-01-01T00:00:00Z is outside the files"),
        (["--at", "2017-12-15"], "the 28 days of the horizon after it are not in the files"),
        (["--at", "2017-11-01", "--horizon", "14d"], "--horizon 14d: the bundle looks 28 days ahead"),
        (
            ["--at", "2017-11-01", "--churn-types", "any"],
            "--churn-types any: the bundle foretells the absence of",
        ),
        (["--at", "2017-11-01", "--active", "1s"], "nobody is at risk"),
        (["--at", "2017-02-01"], "the baselines need events from two horizons before --at"),
        (
            ["--at", "2017-12-02", "--alerts-a-week", "5"],
            "--alerts-a-week judges the alerts from the first --at",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(
    shop: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(shop, *options) == 2
    assert message in capsys.readouterr().err


def test_the_bundles_own_horizon_and_another_activity_are_taken(shop: Path, tmp_path: Path) -> None:
    options = ["--horizon", "28d", "--churn-types", "purchase", "--active", "20d"]
    assert evaluate(shop, "--at", "2017-11-01", *options, "--report", str(tmp_path / "report.json")) == 0
    assert report_of(tmp_path)["active_days"] == 20


def test_a_cut_that_the_bundle_has_learnt_from_is_told(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(shop, "--at", "2017-09-01", "--report", str(tmp_path / "report.json")) == 0
    assert "its figures flatter it; train one with --train-until 2017-09-01" in capsys.readouterr().err
    report = report_of(tmp_path)
    assert report["baselines_know_until"] == "2017-09-01T00:00:00Z"
    assert "flatter" in report["warning"]


def test_without_the_baselines_packages_it_says_what_to_install(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("models.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert evaluate(shop, "--at", "2017-11-01") == 2
    assert "lightgbm is not installed, and evaluation needs it" in capsys.readouterr().err


def test_parts_of_the_recipe_are_trained_anew_and_judged_beside(shop: Path, tmp_path: Path) -> None:
    """Both know nothing of the cut, and neither is one of the baselines that the bundle has to beat."""
    assert evaluate(shop, "--at", "2017-11-01", "--ablations", "--report", str(tmp_path / "report.json")) == 0
    report = report_of(tmp_path)
    judged = {row["model"]: row["auroc"] for row in by_absence(report["rows"]) if row["at"] is not None}
    assert list(judged) == [*MODELS, "aggregates", "sequence"]
    assert judged["aggregates"] > 0.6
    assert judged["sequence"] > 0.5
    assert judged["aggregates"] != judged["sequence"]
    assert {each["model"] for each in by_absence(report["differences"]) if each["best"]} <= set(MODELS)


def test_a_bundle_trained_on_older_data_leaves_the_baselines_nothing_to_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = parse_instant("2018-01-01")
    events = [
        Event(f"{user}-{day}", f"u{user}", "purchase", start + day * DAY_MS)
        for user in range(5)
        for day in range(0, 60 + 20 * user, 5)
    ]
    write_events(tmp_path / "later.parquet", events)
    assert evaluate(tmp_path / "later.parquet", "--at", "2018-03-10") == 2
    assert "two horizons before the end of the bundle's training window" in capsys.readouterr().err
