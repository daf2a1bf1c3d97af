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


def report(confrontation: Confrontation = CONFRONTATION) -> Report:
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
