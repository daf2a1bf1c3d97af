"""A day of traffic in a second: simulated shops, with a witness who knows the contract of the alerts.

A schedule that fails is printed as a program: it runs where the machine and ``VISITS`` are imported.
``SIMULATION_ROUNDS=20`` runs that many times as many shops, drawn at random.
"""

from __future__ import annotations

import math
import os
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.deployment import POLICIES, Deployment
from tests.simulation.machines import EventTime, Live
from tests.simulation.traffic import VISITS

ROUNDS = int(os.environ.get("SIMULATION_ROUNDS", "0"))
"""None: the same shops every time, so that a build never fails by chance."""

SHOPS = {EventTime: 12, Live: 110}
"""Run again and again, other ones each time: what a draw comes to depends on what else has been imported."""

LEAST_STEPS = 50_000 * max(ROUNDS, 1)
LEAST_EVER_RAISED = 200
"""Users under the policy that holds out: its share is judged by them."""

LEAST_SEEN = {
    "raised by probability of absence": 200,
    "raised by probability of Declining": 10,
    "raised by probability of Fading": 10,
    "raised by loss of Declining": 100,
    "raised by loss of Fading": 100,
    "waited until overdue": 100,
    "deescalated by loss": 30,
    "no usual": 200,
    "ended unknown": 20,
}
"""Of each family of models and policies so many alerts, and so much of what only a decline brings about."""

LEAST_OF_A_KIND = 100
"""Records, ticks, silences, crashes, rebalances, changes of the rules, erasures, stops and starts, each."""


def test_shops_keep_the_contract() -> None:
    numbers = count()
    while (
        Deployment.steps.total() - Deployment.steps["decision"] < LEAST_STEPS
        or len(Deployment.tally) < LEAST_EVER_RAISED
        or any(Deployment.seen[kind] < least for kind, least in LEAST_SEEN.items())
    ):
        for machine, shops in SHOPS.items():
            run_state_machine_as_test(
                machine if ROUNDS else seed(next(numbers))(machine),
                settings=settings(
                    max_examples=shops,
                    stateful_step_count=30,
                    deadline=None,
                    database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                    print_blob=False,
                ),
            )
    rare = {kind: count for kind, count in Deployment.steps.items() if count < LEAST_OF_A_KIND}
    assert len(Deployment.steps) >= 9
    assert not rare
    _check_holdout(list(Deployment.tally.values()))


class Careless(EventTime):
    """A machine that objects to every third record."""

    def consume(
        self, count: int, now_ms: int | None = None, *, held: bool = False, crash: bool = False
    ) -> None:
        super().consume(count, now_ms, held=held, crash=crash)
        assert self.position < 3


def test_a_failing_schedule_is_printed_as_a_program() -> None:
    with pytest.raises(AssertionError) as failure:
        run_state_machine_as_test(
            Careless,
            settings=settings(
                max_examples=50,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                print_blob=False,
            ),
        )
    printed = "\n".join(failure.value.__notes__)
    program = printed[printed.index("state = ") :]
    assert "VISITS[" in program
    with pytest.raises(AssertionError):
        exec(program, {"Careless": Careless, "VISITS": VISITS})


def _check_holdout(held_out: list[bool]) -> None:
    """Of the users ever raised under a policy that holds out, its share was held out."""
    share = POLICIES[1].holdout_share
    deviation = math.sqrt(share * (1 - share) / len(held_out))
    assert abs(sum(held_out) / len(held_out) - share) < 4 * deviation
