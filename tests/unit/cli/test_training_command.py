"""``streamer train`` from a file of events to a bundle that loads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.data.histories import collect
from schemas.bundle.manifest import MANIFEST_NAME
from schemas.timestamps import parse_timestamp
from streamer.cli import run
from streamer.data.files import read_events, write_events
from streamer.inference.bundle import load_bundle

DAY_S = 86_400


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 days of 60 customers, each of whom may stop for good after any purchase."""
    random = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("shop") / "events.ndjson"
    lines: list[str] = []
    for user in range(60):
        day = float(random.uniform(0, 30))
        while day < 200:
            event = {
                "event_id": f"{user}-{day}",
                "user_id": f"u{user}",
                "type": "purchase",
                "timestamp": int(1000 * (1_483_228_800 + day * DAY_S)),
                "value": round(float(random.lognormal(3, 1)), 2),
            }
            lines.append(json.dumps(event))
            day += float(random.exponential(5)) if random.random() > 0.05 else 300.0
    file.write_text("\n".join(lines) + "\n")
    return file


def train(shop: Path, out: Path, *options: str) -> int:
    return run(["train", str(shop), "--out", str(out), "--train-until", "2017-07-01", *options])


def test_a_bundle_is_made_and_the_same_seed_makes_the_same(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert train(shop, tmp_path / "one", "--horizon", "14d", "--report", str(report)) == 0
    said = capsys.readouterr().out
    assert train(shop, tmp_path / "two", "--horizon", "14d") == 0
    first, second = load_bundle(tmp_path / "one"), load_bundle(tmp_path / "two")
    assert first.sha256 == second.sha256
    manifest = first.manifest
    assert manifest.horizon_days == 14
    assert manifest.churn_definition.types == "purchase"
    assert manifest.training_window.to == "2017-07-01T00:00:00Z"
    assert 0 < manifest.band_edges.watch < manifest.band_edges.high < manifest.band_edges.critical < 1
    figures = json.loads(report.read_text())
    assert figures["validation_auroc"] == manifest.metrics["validation_auroc"] > 0.5
    # Who comes less than usual is asked about where nothing else is said.
    assert figures["definition"] == manifest.definition == "decline"
    assert figures["validation_decline_auroc"] == manifest.metrics["validation_decline_auroc"]
    assert manifest.expected_loss is not None
    assert figures["expected_loss"] == json.loads(msgspec.json.encode(manifest.expected_loss))
    assert "decline within 56 days: AUROC" in said
    assert f"expected loss: by {manifest.expected_loss.method}, times" in said


def test_who_stays_away_is_asked_about_on_demand(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    asked = ["--definition", "absence", "--horizon", "14d", "--report", str(report)]
    assert train(shop, tmp_path / "out", *asked) == 0
    manifest = load_bundle(tmp_path / "out").manifest
    assert manifest.definition == "absence"
    assert manifest.window_days is manifest.decline is manifest.expected_loss is None
    assert "decline" not in capsys.readouterr().out
    figures = json.loads(report.read_text())
    assert figures["definition"] == "absence"
    assert figures["expected_loss"] is None


def test_time_zone_and_currency_are_those_of_the_settings(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One settings file for training and scoring; another zone than the bundle's is refused."""
    abroad = [
        msgspec.structs.replace(event, currency="USD" if event.user_id < "u3" else "EUR", value=1e6)
        for event in read_events(shop)
    ]
    write_events(tmp_path / "abroad.ndjson", abroad)
    (tmp_path / "shop.toml").write_text('time_zone = "Pacific/Auckland"\ncurrency = "EUR"\n')
    bundle, config = str(tmp_path / "bundle"), ["--config", str(tmp_path / "shop.toml")]
    assert train(tmp_path / "abroad.ndjson", tmp_path / "bundle", "--horizon", "14d", *config) == 0
    manifest = load_bundle(tmp_path / "bundle").manifest
    assert manifest.time_zone == "Pacific/Auckland"
    until_ms = parse_timestamp("2017-07-01T00:00:00Z")
    assert manifest.data_fingerprint == collect(abroad, until_ms, currency="EUR").fingerprint
    assert manifest.data_fingerprint != collect(abroad, until_ms).fingerprint

    score = ["score", str(tmp_path / "abroad.ndjson"), "--bundle", bundle, "--at", "2017-07-01"]
    assert run([*score, *config]) == run(score) == 0
    capsys.readouterr()
    monkeypatch.setenv("STREAMER_TIME_ZONE", "Europe/Berlin")
    assert run([*score, *config]) == 2
    said = capsys.readouterr().err
    assert "time_zone: Europe/Berlin" in said
    assert "Pacific/Auckland" in said
    assert "leave it out" in said


def test_a_time_zone_that_does_not_exist_is_refused_before_anything_is_read(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_TIME_ZONE", "Europe/Berln")
    assert train(shop, tmp_path / "out") == 2
    assert "time_zone: 'Europe/Berln' is no IANA time zone: did you mean" in capsys.readouterr().err


def test_too_little_data_is_refused_in_words(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(shop, tmp_path / "out", "--horizon", "90d") == 2
    assert "three horizons before --train-until" in capsys.readouterr().err
    assert run(["train", str(shop), "--out", str(tmp_path / "out"), "--train-until", "2016-01-01"]) == 2
    assert "no events before --train-until" in capsys.readouterr().err
    assert run(["train", str(shop), "--out", str(tmp_path / "out"), "--train-until", "2019-01-01"]) == 2
    assert "no user was active shortly before --train-until" in capsys.readouterr().err
    assert not (tmp_path / "out" / MANIFEST_NAME).exists()
    assert not (tmp_path / "out.training").exists()


@pytest.mark.parametrize("wrong", ["28", "28 years", "-3d", "0d", "soon"])
def test_a_horizon_that_is_no_duration_is_refused(
    shop: Path, tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(shop, tmp_path / "out", f"--horizon={wrong}") == 2
    assert "not a duration" in capsys.readouterr().err


def test_without_torch_the_message_says_what_to_install(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == "models" or name.startswith("models.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert train(shop, tmp_path / "out") == 2
    assert "pip install 'churn-streamer[train]'" in capsys.readouterr().err
