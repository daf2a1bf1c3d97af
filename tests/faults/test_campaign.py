"""A short campaign in every test run; ``make faults`` is the long one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.campaign import run_campaign
from tests.faults.event_time import EventTimeTrial
from tests.faults.inject.catalogue import EVENT_TIME
from tests.faults.schedule import draw_schedule
from tests.faults.trial import Plan

SEED = 11
TIMES = {"kill": 2, "freeze": 1}


def test_workers_are_killed_and_frozen_under_load(tmp_path: Path) -> None:
    faults = {fault.kind.name: fault for fault in EVENT_TIME if fault.kind.name in TIMES}
    schedule = draw_schedule(SEED, [fault.kind for fault in faults.values()], TIMES)
    plan = Plan(schedule, faults, minutes=5)
    report = asyncio.run(run_campaign(plan, EventTimeTrial(SEED), tmp_path, print))
    assert report.findings == []
    assert {line.fault: line.tried for line in report.faults} == TIMES
    assert report.alerts > 100
    assert report.dead_letters > 0
    # Both end in order when the work is done; the frozen one has failed unless it joined anew.
    assert {**report.worker_exits, "1": 1} == {"-9": 2, "0": 2, "1": 1}
