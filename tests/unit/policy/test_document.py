"""``docs/policy.md`` says what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from schemas.bundle.bands import BandEdges
from streamer.core.alerts.decisions import Obstacle, Transition
from streamer.policy.document import POLICY_DOCUMENT, policy_document
from streamer.policy.file import PolicyFile, load_policy
from streamer.policy.transitions import transitions
from tests.demo_messages import manifest


def test_the_document_is_that_of_the_code() -> None:
    assert POLICY_DOCUMENT.read_text(encoding="utf-8") == policy_document(), (
        "docs/policy.md is stale: run python -m streamer.policy.document"
    )


def test_the_example_is_a_policy() -> None:
    found = re.search(r"```toml\n(.*?)```", policy_document(), re.DOTALL)
    assert found is not None
    said = msgspec.convert(tomllib.loads(found.group(1)), PolicyFile)
    assert (said.daily_budget, said.holdout_share) == (50, 0.1)


def test_a_byte_order_mark_before_the_policy_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(b"\xef\xbb\xbfweekly_cap = 3\n")
    assert load_policy(tmp_path / "policy.toml", manifest(), 60).weekly_cap == 3


@pytest.mark.parametrize("transition", Transition.__args__)
def test_every_transition_is_shown(transition: str) -> None:
    assert any(transition in row.decision for row in transitions())


@pytest.mark.parametrize("obstacle", Obstacle.__args__)
def test_every_obstacle_is_shown(obstacle: str) -> None:
    assert any(row.decision.endswith(f": {obstacle}") for row in transitions())


def test_no_state_and_event_come_twice() -> None:
    rows = [(row.before, row.event) for row in transitions()]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(("watch", "hysteresis"), [(0.4, 0.05), (0.04, 0.02)])
def test_a_low_band_can_be_left_by_default(watch: float, hysteresis: float) -> None:
    edges = BandEdges(watch, 0.5, 0.6)
    policy = load_policy(None, msgspec.structs.replace(manifest(), band_edges=edges), 60)
    assert policy.hysteresis == pytest.approx(hysteresis)
