"""A campaign can be had again: the seed decides which fault strikes when, and for how long."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.arguments import parse_arguments
from tests.faults.inject.catalogue import EVENT_TIME, LIVE
from tests.faults.schedule import draw_schedule

KINDS = [fault.kind for fault in (*EVENT_TIME, *LIVE)]


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert draw_schedule(7, KINDS) == draw_schedule(7, KINDS)
    assert draw_schedule(7, KINDS) != draw_schedule(8, KINDS)


def test_every_fault_strikes_as_often_as_it_must() -> None:
    counts = Counter(strike.kind for strike in draw_schedule(1, KINDS))
    goals = {"kill": 20, "terminate": 20, "freeze": 8, "join-and-leave": 12}
    goals |= {"broker-kill": 5, "network-cut": 5, "disk-full": 2, "store-damaged": 2}
    assert {name: counts[name] for name in goals} == goals
    assert set(counts) == {kind.name for kind in KINDS}


def test_every_fault_is_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    assert [fault.kind.name for fault in EVENT_TIME if f"`{fault.kind.name}`" not in document] == []


def test_a_fault_lasts_as_long_as_its_kind_may() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    for strike in draw_schedule(3, KINDS, dict.fromkeys(kinds, 3)):
        least, most = kinds[strike.kind].hold_s
        assert least <= strike.hold_s <= most


def test_an_unknown_fault_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_arguments(["--only", "kill", "--only", "live-kill"]).only == ("kill", "live-kill")
    with pytest.raises(SystemExit) as end:
        parse_arguments(["--only", "kil"])
    assert end.value.code == 2
    assert "kill-recovering" in capsys.readouterr().err
