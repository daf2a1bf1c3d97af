"""The report's shape and the refusals before the work begins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.errors import BundleError, ConfigurationError
from streamer.data.files.report_file import require_writable
from streamer.demo import session
from streamer.demo.closing import closing_of, closing_text
from streamer.demo.judgement.evaluation import Confrontation, Evaluation
from streamer.demo.judgement.lost import Lost
from streamer.demo.judgement.report import AlertCounts, Report, judgement, versions_of, write_report
from streamer.demo.run import Demonstration
from tests.demo_messages import manifest

EVALUATION = Evaluation(
    at="2017-12-03T00:00:00Z",
    horizon_days=28,
    active_days=60,
    n=2242,
    base_rate=0.136,
    auroc=0.87,
    brier=0.089,
    ece=0.03,
    precision=0.6,
    recall=0.36,
    f1=0.45,
)
CONFRONTATION = Confrontation(
    since="2017-10-01T00:00:00Z",
    until="2017-12-03T00:00:00Z",
    horizon_days=28,
    judged=100,
    right=43,
    too_late_to_judge=7,
    median_lead_days=12.5,
)
LOST = Lost(
    alerts=180,
    shortfall=124.4,
    shortfall_lo=89.2,
    shortfall_hi=148.1,
    decline=0.41,
    caught_share=0.17,
    early_share=0.0,
    absence_shortfall=35.2,
    lead_days=52.3,
    lost_in_all=131_352.0,
    currency="USD",
    window_days=56.0,
    since="2017-10-01T00:00:00Z",
    until="2017-11-05T00:00:00Z",
)


def report(confrontation: Confrontation = CONFRONTATION, lost: Lost | None = None) -> Report:
    return Report(
        events=155_848,
        events_per_s=5_100.0,
        users=2_469,
        scores=73_000,
        seconds_to_first_alert=12.0,
        total_seconds=60.0,
        alerts=AlertCounts(5, 2, 4),
        evaluation=judgement(EVALUATION, confrontation),
        confrontation=confrontation,
        lost=lost,
        dead_letters=0,
        worker_peak_rss_mb=320.0,
        versions=versions_of(manifest(), "0" * 64),
    )


def test_the_report_holds_what_the_contract_of_the_command_names(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_report(file, report())
    written = msgspec.json.decode(file.read_bytes())
    assert {"events", "events_per_s", "seconds_to_first_alert", "dead_letters"} <= written.keys()
    assert written["alerts"] == {"raised": 5, "escalated": 2, "resolved": 4}
    assert written["evaluation"].keys() >= {
        "at", "horizon_days", "n", "base_rate", "auroc", "brier", "ece",
        "precision", "recall", "f1", "median_lead_days",
    }  # fmt: skip
    assert written["evaluation"]["median_lead_days"] == 12.5
    assert written["versions"].keys() >= {
        "python", "streamer", "faust-streaming", "aiokafka", "onnxruntime", "kafka", "bundle",
    }  # fmt: skip
    assert written["versions"]["bundle"] == {"name": "test", "version": "1", "sha256": "0" * 64}


def test_the_summary_says_what_was_right_and_what_stays_open() -> None:
    text = closing_text(report())
    assert "Of 100 alerts raised from 2017-10-01 to 2017-12-03, 43 were right: 43 %" in text
    assert "7 later alerts are not judged, open or not: the data end before their 28 days are over." in text
    assert "AUROC 0.870" in text
    assert [figure[1] for figure in closing_of(report()).figures] == [
        "0.870",
        "43 %",
        "12.5 days",
        "5,100 / s",
    ]


def test_what_was_lost_is_in_the_report_or_null(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_report(file, report())
    assert msgspec.json.decode(file.read_bytes())["lost"] is None
    write_report(file, report(lost=LOST))
    written = msgspec.json.decode(file.read_bytes())
    assert written["lost"].keys() >= {
        "alerts", "shortfall", "shortfall_lo", "shortfall_hi", "decline", "caught_share", "early_share",
        "absence_shortfall",
    }  # fmt: skip
    assert {"evaluation", "confrontation"} <= written.keys()


def test_the_summary_of_decline_tells_first_what_was_lost() -> None:
    closing = closing_of(report(lost=LOST))
    assert closing.lines[:4] == [
        "Households that spent less than usual, against the level of the whole shop, kept back 131,352 USD "
        "within 56 days, ordinary ups and downs included.",
        "180 households were alarmed about from 2017-10-01 to 2017-11-05: each spent 124 USD less than usual "
        "in the 56 days after (95 %: 89 to 148), 17 % of all that was kept back; 41 % of them came less than "
        "half as often.",
        "As many alerts by the risk of absence alone would have found 35 USD each.",
        "Half of the alerts came within 4 days of the day on which the household was due; nobody who was "
        "still on time was alarmed about.",
    ]
    assert closing.figures[:3] == [
        ("Spending at stake", "131,352 USD", "kept back within 56 days"),
        ("Alarmed about", "17 %", "of it, by 180 alerts"),
        ("Lost an alert", "124 USD", "within 56 days; by absence 35 USD"),
    ]
    # Whether they came at all within the horizon is not what these alerts are about.
    assert not any("were right" in line for line in closing.lines)


def test_the_summary_says_what_cannot_be_told() -> None:
    nothing = msgspec.structs.replace(LOST, alerts=0, shortfall=None, shortfall_lo=None, shortfall_hi=None)
    closing = closing_of(report(lost=nothing))
    assert closing.lines[0] == "No household's first alert is old enough to tell what was lost."
    assert "Spending at stake" not in [figure[0] for figure in closing.figures]
    early = msgspec.structs.replace(LOST, early_share=0.25, lead_days=56.5, caught_share=-0.1)
    text = closing_text(report(lost=early))
    assert "came on the day on which the household was due; 25 % came before that day." in text
    assert "nothing of all that was kept back" in text


def test_a_run_too_short_to_judge_says_so() -> None:
    empty = msgspec.structs.replace(CONFRONTATION, judged=0, right=0, median_lead_days=None)
    assert "No alert is old enough to be judged." in closing_text(report(empty))


def test_a_report_without_a_place_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        require_writable(tmp_path / "missing" / "report.json")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        require_writable(tmp_path)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "NEEDED", ("rich", "no_such_package"))
    with pytest.raises(ConfigurationError, match=r"needs no_such_package: .*churn-streamer\[demo\]"):
        session.require_extra()


def test_a_lost_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Demonstration(bundle=tmp_path)
