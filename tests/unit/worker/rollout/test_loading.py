"""What a worker loads when a model is exchanged, and what it refuses."""

from __future__ import annotations

import asyncio
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.errors import BundleError, ConfigurationError
from streamer.settings.settings import Settings
from streamer.worker.rollout.compatibility import check_successor
from streamer.worker.rollout.loading import Bundles, build_scorer, load_referenced
from streamer.worker.rollout.plan import (
    NO_ROLLOUT,
    BundleReference,
    Rollout,
    loaded,
    promoted,
    reset,
    rolled_back,
)
from streamer.worker.rollout.watcher import RolloutWatcher
from streamer.worker.stage.partition.scorers import Models
from tests.bundles import DEMO_BUNDLE, demo_bundle, successor


def reference_of(folder: Path) -> BundleReference:
    data = (folder / "manifest.json").read_bytes()
    return BundleReference(str(folder), "complete-journey", "2", sha256(data).hexdigest())


def test_a_worker_follows_decisions_and_refuses_what_is_damaged(tmp_path: Path) -> None:
    settings = Settings(bundle=DEMO_BUNDLE, bundle_root=Path("/"))
    models = Models(build_scorer(settings, demo_bundle(), partitions=1, users=8))
    watcher = RolloutWatcher(settings, models, NO_ROLLOUT, Bundles(settings, demo_bundle(), partitions=1))
    new, damaged = successor(tmp_path / "new"), successor(tmp_path / "damaged")
    (damaged / "query.onnx").write_bytes((damaged / "query.onnx").read_bytes()[:-1] + b"?")
    old = BundleReference(str(DEMO_BUNDLE), "complete-journey", "1", demo_bundle().sha256)
    first = models.serving

    async def scenario() -> None:
        refused = loaded(NO_ROLLOUT, reference_of(damaged), old)
        await watcher.follow(refused)
        assert models.trial is not None
        assert "query.onnx" in models.trial.refusal
        assert models.serving is first

        on_trial = loaded(refused, reference_of(new), old)
        await watcher.follow(on_trial)
        assert models.trial.scorer is not None
        await watcher.follow(promoted(on_trial))
        assert (models.serving.sha256, models.since, models.trial) == (reference_of(new).sha256, 3, None)

        await watcher.follow(rolled_back(promoted(on_trial)))
        assert (models.serving.sha256, models.since) == (demo_bundle().sha256, 4)

        await watcher.follow(reset(now_ms=8))
        assert (models.serving.sha256, models.since) == (demo_bundle().sha256, 4), "until the next start"

        (tmp_path / "new").rename(tmp_path / "moved")
        elsewhere = msgspec.structs.replace(reference_of(tmp_path / "moved"), sha256="f" * 64)
        gone = Rollout(revision=9, since=9, serving=elsewhere, previous=old)
        await watcher.follow(gone)
        assert models.trial is not None
        assert "copy that one" in models.trial.refusal
        assert (models.serving.sha256, models.since) == (demo_bundle().sha256, 4)

    asyncio.run(scenario())


def test_whoever_writes_a_decision_does_not_choose_where_bundles_lie(tmp_path: Path) -> None:
    beside = Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundles" / "first"))
    next_to_it, elsewhere = successor(tmp_path / "bundles" / "next"), successor(tmp_path / "new")
    settings = Settings(bundle=beside)
    assert load_referenced(settings, reference_of(next_to_it)).path == next_to_it.resolve()
    with pytest.raises(ConfigurationError, match="is not below"):
        load_referenced(settings, reference_of(elsewhere))
    with pytest.raises(ConfigurationError, match="set STREAMER_BUNDLE_ROOT"):
        load_referenced(Settings(), reference_of(elsewhere))
    assert load_referenced(Settings(bundle_root=tmp_path), reference_of(elsewhere)).path == elsewhere


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time_zone": "Europe/Berlin"}, "time zone is Europe/Berlin, and UTC is served"),
        ({"horizon_days": 14.0}, "horizon is 14 days, and 28 days is served"),
        ({"churn_definition": {"types": "any", "active_days": 60}}, "no event of any type, and no purchase"),
    ],
)
def test_a_bundle_that_answers_another_question_is_refused(changes: dict[str, Any], words: str) -> None:
    serving = demo_bundle().manifest
    other = msgspec.convert({**msgspec.to_builtins(serving), **changes}, type(serving))
    with pytest.raises(BundleError, match=words) as refusal:
        check_successor(other, serving)
    assert "streamer model reset" in str(refusal.value)
    check_successor(serving, serving)
