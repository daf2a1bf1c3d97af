"""A shop, a worker and a witness as a state machine: what event-time and live deployments share."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas.units import DAY_MS, HOUR_MS
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import Rules
from streamer.core.erasure import Erasure
from streamer.core.history.aggregates import COLUMN
from streamer.core.user_state import decode_state
from streamer.testing import PartitionDriver
from tests.simulation.customer import Terms
from tests.simulation.models import ABSENCE_MODELS, decline_models
from tests.simulation.traffic import START_MS, USERS, VISITS, Delivery, Log
from tests.simulation.witness import Witness

POLICIES = (
    Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, least_active_days=1, cooldown_ms=0, weekly_cap=9),
    Policy(edges=(0.3, 0.5, 0.7), horizon_ms=28 * DAY_MS, holdout_share=0.3, holdout_salt="s"),
    Policy(
        edges=(0.4, 0.6, 0.8),
        horizon_ms=60 * DAY_MS,
        cooldown_ms=0,
        weekly_cap=3,
        daily_budget=1,
        holdout_share=0.3,
        holdout_salt="s",
    ),
    Policy(
        edges=(0.5, 0.6, 0.7),
        horizon_ms=28 * DAY_MS,
        cooldown_ms=9 * HOUR_MS,
        weekly_cap=2,
        raise_dwell_ms=12 * HOUR_MS,
        leave_dwell_ms=0,
    ),
    Policy(
        edges=(0.35, 0.6, 0.8),
        horizon_ms=40 * DAY_MS,
        alerts_from_ms=START_MS + 20 * DAY_MS,
        cooldown_ms=2 * DAY_MS,
        daily_budget=2,
        least_active_days=1,
    ),
    Policy(
        edges=(0.45, 0.6, 0.8),
        horizon_ms=50 * DAY_MS,
        alerts_from_ms=START_MS + 90 * DAY_MS,
        cooldown_ms=DAY_MS,
        weekly_cap=9,
        daily_budget=1,
        raise_dwell_ms=6 * HOUR_MS,
    ),
)
DECLINE_POLICIES = (
    Policy(
        edges=(10.0, 20.0, 30.0),
        horizon_ms=56 * DAY_MS,
        alert_by="loss",
        least_overdue=1.0,
        hysteresis=0.1,
        least_active_days=1,
        cooldown_ms=0,
        weekly_cap=9,
    ),
    Policy(
        edges=(5.0, 15.0, 30.0),
        horizon_ms=56 * DAY_MS,
        alert_by="loss",
        least_overdue=1.0,
        least_loss=18.0,
        hysteresis=0.25,
        cooldown_ms=0,
        weekly_cap=3,
        daily_budget=1,
        holdout_share=0.3,
        holdout_salt="s",
    ),
    Policy(
        edges=(8.0, 16.0, 40.0),
        horizon_ms=28 * DAY_MS,
        alert_by="loss",
        least_overdue=0.6,
        hysteresis=0.4,
        alerts_from_ms=START_MS + 60 * DAY_MS,
        cooldown_ms=DAY_MS,
        weekly_cap=9,
        daily_budget=2,
        raise_dwell_ms=12 * HOUR_MS,
        holdout_share=0.3,
        holdout_salt="s",
    ),
    Policy(
        edges=(2.0, 12.0, 24.0),
        horizon_ms=56 * DAY_MS,
        alert_by="loss",
        hysteresis=0.0,
        holdout_share=0.3,
        holdout_salt="s",
        leave_dwell_ms=0,
        cooldown_ms=9 * HOUR_MS,
        weekly_cap=2,
    ),
    Policy(
        edges=(0.3, 0.5, 0.7),
        horizon_ms=56 * DAY_MS,
        least_overdue=1.3,
        cooldown_ms=0,
        weekly_cap=9,
        least_active_days=1,
        raise_dwell_ms=6 * HOUR_MS,
    ),
)
_DECLINE_MODELS = {
    any_event: decline_models("any" if any_event else "purchase") for any_event in (False, True)
}
RULES = (
    *((policy, number, False) for policy in POLICIES for number in range(len(ABSENCE_MODELS))),
    *((policy, number, True) for policy in 2 * DECLINE_POLICIES for number in range(2)),
)
"""Policies, each with a model that it may go with, by its number, and whether that foretells decline."""

SILENCES_MS = (3 * HOUR_MS, 4 * DAY_MS, 12 * DAY_MS, 35 * DAY_MS, 90 * DAY_MS, 410 * DAY_MS)
BACK_MS = (0, 0, 5_000, 9 * HOUR_MS, 5 * DAY_MS, 50 * DAY_MS)
_EVENTS = COLUMN["events"]

_visits = st.integers(0, len(VISITS) - 1).map(lambda number: VISITS[number])
visits = st.lists(_visits, min_size=1, max_size=40) | st.lists(_visits, min_size=20, max_size=60)
sizes = st.sampled_from((1, 2, 4, 9, 99))
silences = st.sampled_from(SILENCES_MS)
rules = st.integers(0, len(RULES) - 1)


class Deployment(RuleBasedStateMachine):
    """A shop, a worker, and the witness. ``steps`` counts what happened in all, ``seen`` what is rare."""

    live: ClassVar[bool]
    up: bool = True
    steps: ClassVar[Counter[str]] = Counter()
    seen: ClassVar[Counter[str]] = Counter()
    tally: ClassVar[dict[str, bool]] = {}

    @initialize(
        crowd=st.integers(0, 10**6),
        rules=rules,
        any_event_returns=st.sampled_from((False, False, True)),
    )
    def begin(self, crowd: int, rules: int, any_event_returns: bool) -> None:
        """Open the shop."""
        self.log = Log(crowd)
        self.any_event_returns = any_event_returns
        terms = self._terms(rules)
        self.worker = PartitionDriver(terms.rules, terms.model)
        self.witness = Witness(terms, live=self.live)
        self.position = 0
        self.erased: list[tuple[int, Erasure]] = []
        self.waiting: list[Erasure] = []
        self._carried = 0

    @rule()
    def rebalance(self) -> None:
        """Another machine takes the partition over."""
        self.steps["rebalance"] += 1
        self.recover()

    @rule(rules=rules)
    def change(self, rules: int) -> None:
        """The worker restarts with another policy or model, maybe one that foretells something else."""
        self.steps["change"] += 1
        self.end_of_rules()
        terms = self._terms(rules)
        self.worker.rules, self.worker.model = terms.rules, terms.model
        self.recover()
        self.witness.change(terms)

    @rule(user=st.integers(0, USERS - 1), back_ms=st.sampled_from(BACK_MS), crash=st.booleans())
    def forget(self, user: int, back_ms: int, crash: bool) -> None:
        """A user asks to be forgotten, with everything up to ``back_ms`` ago."""
        self.steps["erasure"] += 1
        self.waiting.append(Erasure(self.log.user_id(user), self.log.now_ms - back_ms))
        if self.up:
            self.carry_out(crash=crash)

    def carry_out(self, *, crash: bool = False) -> None:
        """Forget those who have asked for it, before any record that waits beside their requests."""
        decisions = self.worker.erase(self.waiting, crash=crash)
        for erasure in self.waiting:
            said = [decision for decision in decisions if decision.user_id == erasure.user_id]
            first = all(erasure.user_id != before.user_id for _, before in self.erased[self._carried :])
            self.witness.erase(erasure, said if first else [])
            self.erased.append((self.position, erasure))
        self._carried, self.waiting = len(self.erased), []
        assert set(self.worker.table) == set(self.witness.customers)

    def _is_erased(self, delivery: Delivery) -> bool:
        event = delivery.event
        return any(
            erasure.user_id == event.user_id and event.timestamp <= erasure.requested_ms
            for _, erasure in self.erased
        )

    def teardown(self) -> None:
        """Close the shop."""
        if hasattr(self, "witness"):
            self.end_of_rules()
            self.tally.update(self.witness.tally)
            self.seen.update(self.witness.seen)

    def end_of_rules(self) -> None:
        """The rules are about to change, or the run to end."""

    def _terms(self, rules: int) -> Terms:
        policy, number, of_decline = RULES[rules]
        models = _DECLINE_MODELS[self.any_event_returns] if of_decline else ABSENCE_MODELS
        return Terms(Rules(policy, self.any_event_returns, partitions=1), models[number])

    def recover(self) -> None:
        self.worker.recover()
        if self.worker.clock_ms is not None:
            self.witness.clock_ms = self.worker.clock_ms

    def consume(
        self, count: int, now_ms: int | None = None, *, held: bool = False, crash: bool = False
    ) -> None:
        """Process up to ``count`` records, judge what comes out, and compare the table with the histories."""
        deliveries = self.log.deliveries[self.position : self.position + count]
        self.position += len(deliveries)
        self.steps["record" if deliveries else "tick"] += max(len(deliveries), 1)
        self.steps["crash"] += crash
        decisions = self.worker.process([d.record for d in deliveries], now_ms, held=held, crash=crash)
        deliveries = [delivery for delivery in deliveries if not self._is_erased(delivery)]
        self.steps["decision"] += len(decisions)
        self.witness.judge(deliveries, decisions, now_ms, held)
        assert set(self.worker.table) == set(self.witness.customers)
        for user_id in {d.event.user_id for d in deliveries} | {d.user_id for d in decisions}:
            if user_id in self.worker.table:
                self._compare(user_id)

    def _compare(self, user_id: str) -> None:
        state, customer = decode_state(self.worker.table[user_id]), self.witness.customers[user_id]
        history, alert, episode = customer.history, customer.alert, state.alert_state.episode
        events = np.frombuffer(state.running)[_EVENTS]
        assert events == history.sums.events == len(history.ids) + history.repeated, "lost, or applied twice"
        assert len(state.ring) // 26 == len(history.ring)
        assert state.last_ms == history.last_ms
        self.witness.check_curves(user_id, state.absence_curve(), state.followed_curve())
        assert (episode is None) == (alert is None)
        if episode is not None and alert is not None:
            assert (episode.level, episode.opened_ms) == (alert.level, alert.opened_ms)
