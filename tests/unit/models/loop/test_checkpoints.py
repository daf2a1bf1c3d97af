"""A training that was killed goes on to the very bundle that it would have made undisturbed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.loop.checkpoints import Checkpoints
from models.loop.progress import Interruption
from schemas.errors import ConfigurationError
from tests.tiny_training import Stopped, Watch, contents, train


def test_killed_in_every_stage_and_resumed_the_bundle_is_the_same(tmp_path: Path) -> None:
    watch = Watch()
    train(tmp_path / "whole", watch)
    stages = [stage for stage in watch.units if ":" in stage]
    assert len(stages) >= 6
    out = tmp_path / "killed"
    for number, stage in enumerate(stages):
        with pytest.raises(Stopped):
            train(out, Watch(stage), resume=number > 0)
        assert not out.exists()
    resumed = Watch()
    train(out, resumed, resume=True)
    assert contents(out) == contents(tmp_path / "whole")
    checkpoints = out.with_name("killed.training")
    (checkpoints / "first-fit-both.pt").unlink()
    interruption = Interruption()
    interrupted = train(
        out, Watch("first fit: both", 0.5, interruption), resume=True, interruption=interruption
    )
    assert interrupted.manifest.interrupted
    train(out, Watch(), resume=True)
    assert contents(out) == contents(tmp_path / "whole")
    assert resumed.units["first fit: query head"] == watch.units["first fit: query head"]


def test_a_resumed_stage_does_not_repeat_its_epochs(tmp_path: Path) -> None:
    stage = "first fit: language model"
    killed = Watch(stage, 0.6)
    with pytest.raises(Stopped):
        train(tmp_path / "out", killed)
    saved = torch.load(tmp_path / "out.training" / "first-fit-language-model.pt", weights_only=True)
    assert saved["progress"]["epoch"] == 1
    assert 0 < saved["progress"]["units"] < killed.units[stage]
    resumed = Watch(stage, 0.0)
    with pytest.raises(Stopped):
        train(tmp_path / "out", resumed, resume=True)
    assert resumed.units[stage] == saved["progress"]["units"]
    assert resumed.units["first fit: query head"] == killed.units["first fit: query head"]


def test_checkpoints_of_another_training_are_refused_by_name(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path / "c", {"events": "a", "--horizon": "1"})
    first.begin(resume=True)
    first.save("s", {"weights": torch.ones(2)})
    Checkpoints(tmp_path / "c", {"events": "a", "--horizon": "1"}).begin(resume=True)
    with pytest.raises(ConfigurationError, match="other events, --horizon: give the same files and options"):
        Checkpoints(tmp_path / "c", {"events": "b", "--horizon": "2"}).begin(resume=True)
    loaded = first.load("s")
    assert loaded is not None
    assert loaded["weights"].tolist() == [1, 1]


def test_without_resume_nothing_of_an_earlier_training_is_used(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c", {"events": "a"})
    checkpoints.begin(resume=False)
    checkpoints.save("s", {"weights": torch.ones(2)})
    Checkpoints(tmp_path / "c", {"events": "b"}).begin(resume=False)
    assert checkpoints.load("s") is None


@pytest.mark.parametrize("stage", ["s", "options"])
def test_a_damaged_checkpoint_is_refused_in_words(tmp_path: Path, stage: str) -> None:
    checkpoints = Checkpoints(tmp_path / "c", {"events": "a"})
    checkpoints.begin(resume=False)
    checkpoints.save("s", {"weights": torch.ones(2)})
    (tmp_path / "c" / "s.pt").write_bytes(b"PK\x03\x04 half a file")
    (tmp_path / "c" / "options.json").write_bytes(b'{"events"')
    with pytest.raises(ConfigurationError, match=r"damaged: leave out --resume"):
        checkpoints.load("s") if stage == "s" else checkpoints.begin(resume=True)
