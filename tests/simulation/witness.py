"""An independent witness of the contract: it sees records go in and decisions come out, and objects.

It knows the rules of alerts as an integrator would read them, each user's plain history, and the risk
models in closed form; none of it is computed by the code under test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from schemas.units import DAY_MS, HOUR_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.erasure import Erasure
from tests.simulation.completeness import Since, check_competed, check_moment, check_nothing_missing, competes
from tests.simulation.customer import SLACK, Alert, Batch, Customer, Terms
from tests.simulation.rules_of_alerts import (
    check_raise,
    check_resolve,
    check_return,
    check_risk,
    check_suppressed,
)
from tests.simulation.traffic import Delivery

NEVER_MS = -(2**62)
FOR_NOW = ("sent", "held_out")
"""Actions that must wait while the partition lags: what lies before alerts begin is put on record at once."""

LAGS_MS = 30_000
"""A record appended longer ago than this, wall time, was not consumed at once."""


class Witness:
    """``tally``: whether each user ever raised is held out. ``seen``: how often what is rare came about."""

    def __init__(self, terms: Terms, *, live: bool) -> None:
        self.terms, self.live = terms, live
        self.customers: dict[str, Customer] = {}
        self.clock_ms = NEVER_MS
        self.tally: dict[str, bool] = {}
        self.seen: Counter[str] = Counter()
        self._changes = 0
        self._since = Since(NEVER_MS, NEVER_MS)
        self._alert_ids: set[str] = set()
        self._ranked: dict[int, list[tuple[float, bool]]] = defaultdict(list)

    @property
    def horizon_ms(self) -> int:
        """Deadlines up to here are due."""
        return self.clock_ms - self.terms.rules.policy.disorder_ms

    def change(self, terms: Terms) -> None:
        """From now on other rules hold, or the same ones again."""
        settled = self.horizon_ms >= self._since.settled_ms
        for customer in self.customers.values():
            kept = [made for made in customer.curve_sums if not settled or made[0] == self.terms]
            customer.curve_sums = (*kept, (terms, customer.history.sums))
        self.terms = terms
        self._changes += 1
        self._since = self._since._replace(settled_ms=self.horizon_ms + HOUR_MS)
        self._ranked.clear()

    def judge(
        self, deliveries: Sequence[Delivery], decisions: Sequence[Decision], now_ms: int | None, held: bool
    ) -> None:
        """Object to whatever breaks the contract in one batch's decisions, or is missing among them."""
        before_ms = self.horizon_ms
        horizons: list[int] = []
        for delivery in deliveries:
            proven_ms = min(delivery.event.timestamp, delivery.record.record_ms)
            self.clock_ms = max(self.clock_ms, proven_ms)
            horizons.append(self.horizon_ms)
        if now_ms is not None:
            self.clock_ms = max(self.clock_ms, now_ms)
        batch = Batch(deliveries, decisions, [*horizons, self.horizon_ms], before_ms, now_ms, held)
        if held or (now_ms is not None and self.horizon_ms - before_ms > LAGS_MS):
            self._since = self._since._replace(caught_up_ms=self.horizon_ms)
        for user_id in sorted({d.event.user_id for d in deliveries} | {d.user_id for d in decisions}):
            self._follow(user_id, batch)
        for user_id in sorted(self.customers):
            self._forget(user_id, self.horizon_ms)
        self._check_budget(decisions)
        for customer in self.customers.values():
            check_nothing_missing(self.terms, customer, batch, self._since)
        if now_ms is not None:
            self._check_not_refuted(batch, now_ms)

    def erase(self, erasure: Erasure, decisions: Sequence[Decision]) -> None:
        """Forget a customer: an alert that was sent ends with one more revision, and nothing else is said."""
        customer = self.customers.pop(erasure.user_id, None)
        alert = customer.alert if customer else None
        if customer is None or alert is None or alert.action != "sent":
            assert not decisions, "something is said of a user who wants to be forgotten"
            return
        (decision,) = decisions
        assert (decision.user_id, decision.action) == (erasure.user_id, "sent")
        assert (decision.transition, decision.reason) == ("resolved", "erased")
        assert (decision.alert_id, decision.revision) == (alert.alert_id, alert.revision + 1)
        assert decision.offset == customer.history.offset
        assert decision.decided_ms == max(min(erasure.requested_ms, self.clock_ms), alert.changed_ms)

    def check_curves(self, user_id: str, curve: Sequence[float], followed: Sequence[float]) -> None:
        """A user's curves of absence and of the signal are those of the rules in force, and there from the
        grid's first step on.
        """
        customer = self.customers[user_id]
        if self.horizon_ms >= self._since.settled_ms:
            silent_ms = self.horizon_ms - customer.history.last_ms
            assert bool(curve) == (silent_ms >= self.terms.model.silence_grid_ms[0])
            assert not curve or self.terms.are_curves(customer, curve, followed), "not the user's curves"

    def _follow(self, user_id: str, batch: Batch) -> None:
        mine = [decision for decision in batch.decisions if decision.user_id == user_id]
        arrived = False
        for index, delivery in enumerate(batch.deliveries):
            if delivery.event.user_id != user_id:
                continue
            while mine and mine[0].offset < delivery.record.offset:
                self._judge(mine.pop(0), batch, arrived)
            self._forget(user_id, batch.horizons_ms[index])
            customer = self.customers.setdefault(user_id, Customer())
            placement = self._observe(customer, delivery, batch.horizons_ms[index])
            if placement in ("newest", "late"):
                arrived = True
                customer.heard_ms = batch.horizons_ms[-1 if self.live else index]
                if self.terms.rules.any_event_returns or delivery.event.type == "purchase":
                    customer.no_usual = None
            if placement == "newest":
                customer.waited = False
            if placement in ("newest", "late"):
                next_one = mine[0] if mine else None
                check_return(self.terms, customer, delivery, next_one, newest=placement == "newest")
            if not mine or mine[0].offset > delivery.record.offset:
                self._forget(user_id, batch.horizons_ms[index])
        for decision in mine:
            self._judge(decision, batch, arrived)

    def _observe(self, customer: Customer, delivery: Delivery, horizon_ms: int) -> str:
        model, history = self.terms.model, customer.history
        placement = history.observe(delivery.event, delivery.record.offset, model.ring_tokens)
        if placement in ("newest", "late"):
            customer.told_ms = horizon_ms
            customer.curve_sums = ()
        elif horizon_ms < history.last_ms + model.silence_grid_ms[0]:
            # These rules have no curve yet; one of other rules may stand.
            customer.curve_sums = tuple(made for made in customer.curve_sums if made[0] != self.terms)
        elif horizon_ms >= self._since.settled_ms:
            return placement
        customer.curve_sums += ((self.terms, history.sums),)
        return placement

    def _forget(self, user_id: str, horizon_ms: int) -> None:
        customer = self.customers.get(user_id)
        if customer and customer.history.last_ms + self.terms.rules.policy.expiry_ms <= horizon_ms:
            assert customer.alert is None, "forgotten with an open alert"
            del self.customers[user_id]

    def _judge(self, decision: Decision, batch: Batch, arrived: bool) -> None:
        customer = self.customers[decision.user_id]
        history, alert = customer.history, customer.alert
        assert decision.offset == history.offset, "evidence is the user's newest record"
        assert decision.last_ms == history.last_ms
        latest_ms = max(batch.horizons_ms[-1], history.last_ms, alert.changed_ms if alert else 0)
        assert decision.decided_ms <= latest_ms, "decided before its time has come"
        if not arrived and not self.live:
            assert decision.decided_ms >= batch.before_ms, "found later than it was due"
        if decision.action == "overtaken":
            assert self.live, "only a partition that lags behind wall time can be overtaken"
        elif decision.action == "suppressed":
            check_suppressed(self.terms, customer, decision)
            if decision.obstacle == "no_usual":
                assert customer.no_usual != self._changes, "on record twice that nothing is usual"
                customer.no_usual = self._changes
                self.seen["no usual"] += 1
                return
            customer.waited = True
            if decision.obstacle == "budget":
                self._rank(customer, decision, granted=False)
        elif decision.transition == "raised":
            self._raise(customer, decision, batch, arrived)
        else:
            self._change(customer, decision, batch)

    def _raise(self, customer: Customer, decision: Decision, batch: Batch, arrived: bool) -> None:
        policy, alert, sent = self.terms.rules.policy, customer.alert, decision.action == "sent"
        backfill = decision.action == "backfill"
        assert backfill or not batch.held, "a raise waits while the partition lags"
        assert alert is None or (alert.action == "backfill" and not backfill), "one open episode a user"
        check_risk(self.terms, customer, decision)
        assert decision.level > 0
        assert self.terms.is_level_of(customer, decision)
        check_raise(self.terms, customer, decision)
        free = policy.daily_budget is None and customer.closed_ms is None
        noticed_ms = decision.decided_ms - policy.raise_dwell_ms
        settled = noticed_ms >= self._since.settled_ms and noticed_ms > customer.told_ms
        if free and settled and not (arrived or self.live or customer.waited or alert):
            check_moment(self.terms, customer, noticed_ms)
        assert sent == (decision.alert_id is not None) == (decision.revision == 1)
        if sent:
            assert decision.alert_id not in self._alert_ids, "an alert's id is its own"
            self._alert_ids.add(decision.alert_id or "")
        if not backfill:
            # Who is held out competes and is capped like everybody.
            self._rank(customer, decision, granted=True)
            customer.raised_ms.append(decision.decided_ms)
        opened_ms = decision.decided_ms
        kind = "absence" if self.terms.model.decline is None else type(self.terms.model).__name__
        self.seen[f"raised by {policy.alert_by} of {kind}"] += 1
        self.seen["waited until overdue"] += self._waited(customer)
        customer.alert = Alert(decision.alert_id, 1, decision.level, opened_ms, opened_ms, decision.action)
        if policy.holdout_share > 0 and not backfill:
            self.tally[decision.user_id] = decision.action == "held_out"

    def _waited(self, customer: Customer) -> bool:
        """Whether it was the own gap that an alert waited for."""
        overdue_ms = int(self.terms.overdue_ms(customer))
        return (
            overdue_ms > customer.history.last_ms
            and self.terms.signal(customer, overdue_ms) > self.terms.raise_edge
        )

    def _change(self, customer: Customer, decision: Decision, batch: Batch) -> None:
        alert, policy = customer.alert, self.terms.rules.policy
        assert alert is not None, f"{decision.transition} without an open alert"
        assert (alert.action, alert.alert_id) == (decision.action, decision.alert_id)
        assert decision.decided_ms >= alert.changed_ms, "the moments of an alert never go back"
        if decision.action == "sent":
            assert decision.revision == alert.revision + 1, "revisions have no gaps"
        alert.changed_ms, alert.revision = decision.decided_ms, alert.revision + 1
        if decision.transition == "resolved":
            check_resolve(self.terms, customer, alert, decision)
            on_time = decision.reason == "late_event" and customer.history.last_ms > alert.opened_ms
            self.seen["was on time"] += on_time
            self.seen["ended unknown"] += self.terms.is_unknown(customer) and decision.reason == "recovered"
            customer.alert, customer.closed_ms = None, decision.decided_ms
            return
        check_risk(self.terms, customer, decision)
        if decision.transition == "escalated":
            past = decision.decided_ms < (policy.alerts_from_ms or 0)
            backfill = past and alert.action == "backfill"
            assert backfill or not batch.held, "an escalation waits while the partition lags"
            assert decision.level > alert.level
            assert self.terms.is_level_of(customer, decision)
        else:
            assert 0 < decision.level < alert.level
            assert self.terms.is_below(self.terms.leave_edge(alert.level), customer, decision)
            self.seen[f"deescalated by {policy.alert_by}"] += 1
        alert.level = decision.level

    def _rank(self, customer: Customer, decision: Decision, *, granted: bool) -> None:
        day_ms = decision.decided_ms
        spent, foretold = customer.history.spend, self.terms.foretold(customer, day_ms)
        value = decision.risk * spent if foretold.loss is None or not self.terms.by_loss else foretold.loss
        self._ranked[day_ms].append((value, granted))
        if competes(self.terms, day_ms):
            check_competed(self.terms, customer, day_ms - DAY_MS, self._since)
            customer.competed_ms = day_ms

    def _check_budget(self, decisions: Sequence[Decision]) -> None:
        """A day's budget is spent whole before anyone goes without, on those with the most to lose."""
        budget = self.terms.rules.policy.daily_budget
        if budget is None:
            return
        for day_ms in {d.decided_ms for d in decisions if d.transition == "raised"}:
            won = [value for value, granted in self._ranked[day_ms] if granted]
            lost = [value for value, granted in self._ranked[day_ms] if not granted]
            assert len(won) <= budget, "more raises than the day's budget"
            assert not won or day_ms % DAY_MS == 0, "a raise competes at the day's end"
            if lost:
                assert len(won) == budget, "turned away while the day's budget was not spent"
                assert not won or min(won) >= max(lost) * (1 - SLACK), "more was at risk elsewhere"

    def _check_not_refuted(self, batch: Batch, now_ms: int) -> None:
        """A raise is found at once, or it is one that still holds by everything consumed so far."""
        policy = self.terms.rules.policy
        for decision in batch.decisions:
            if decision.transition not in ("raised", "escalated") or decision.action not in FOR_NOW:
                continue
            assert decision.decided_ms >= self.horizon_ms - LAGS_MS, "found late, yet not held"
            for event, record in batch.deliveries:
                newer = event.user_id == decision.user_id and event.timestamp > decision.last_ms
                if newer and record.offset > decision.offset:
                    recent_ms = now_ms - LAGS_MS - policy.disorder_ms
                    assert record.record_ms >= recent_ms, "raised though a consumed event refutes it"
