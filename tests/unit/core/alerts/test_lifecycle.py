"""The state machine of alerts, asked directly."""

from __future__ import annotations

import math

import msgspec
import pytest

from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.alerts.alert_state import AlertState
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.lifecycle import Situation, Verdict, consider, resolve
from streamer.core.alerts.policy import WEEK_MS, Policy
from streamer.core.history.calendar import UTC
from streamer.settings.time_zone import calendar_of

POLICY = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, hysteresis=0.1)
START = 1_483_228_800_000


class User:
    """One user's standing, and the decisions so far."""

    def __init__(self, **policy: object) -> None:
        self.policy = msgspec.structs.replace(POLICY, **policy)
        self.alert_state = AlertState()
        self.decisions: list[Decision] = []

    def at(self, day: float, risk: float, **changed: object) -> Verdict:
        verdict = consider(self.alert_state, self.situation(day, risk)._replace(**changed), self.policy)
        self.decisions += verdict.decisions
        return verdict

    def situation(self, day: float, risk: float) -> Situation:
        now_ms = START + int(day * DAY_MS)
        return Situation("u", 0, 7, now_ms, START, risk, risk, 5, "silence", UTC, open_ms=now_ms)

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        return [(d.action, d.transition, d.obstacle) for d in self.decisions]


def test_up_and_down_the_bands() -> None:
    user = User(leave_dwell_ms=0)
    for day, risk in enumerate((0.3, 0.45, 0.85, 0.65, 0.2)):
        user.at(day, risk)
    assert user.told == [
        ("sent", "raised", None),
        ("sent", "escalated", None),
        ("sent", "deescalated", None),
        ("sent", "resolved", None),
    ]
    assert [d.revision for d in user.decisions] == [1, 2, 3, 4]
    assert [d.level for d in user.decisions] == [1, 3, 2, 2]
    assert user.decisions[-1].reason == "recovered"


def test_a_band_is_left_lower_than_it_is_entered() -> None:
    user = User(leave_dwell_ms=0)
    user.at(1, 0.65)
    assert user.at(2, 0.51) == Verdict()
    user.at(3, 0.49)
    assert user.told[-1] == ("sent", "deescalated", None)
    assert user.alert_state.level == 1


def test_a_lower_risk_counts_only_once_it_has_lasted() -> None:
    user = User(leave_dwell_ms=2 * DAY_MS)
    user.at(1, 0.45)
    assert user.at(2, 0.1).again_ms == START + 4 * DAY_MS
    user.at(3, 0.45)
    assert user.at(4, 0.1).again_ms == START + 6 * DAY_MS
    user.at(6, 0.1)
    assert user.told == [("sent", "raised", None), ("sent", "resolved", None)]


def test_a_higher_risk_counts_only_once_it_has_lasted() -> None:
    user = User(raise_dwell_ms=DAY_MS)
    assert user.at(1, 0.45).again_ms == START + 2 * DAY_MS
    user.at(2, 0.45)
    assert user.told == [("sent", "raised", None)]


def test_after_a_resolve_there_is_a_pause() -> None:
    user = User(cooldown_ms=3 * DAY_MS, weekly_cap=9)
    user.at(1, 0.45)
    resolve(user.alert_state, user.situation(2, 0.1)._replace(reason="purchase"))
    assert user.at(3, 0.45).again_ms == START + 5 * DAY_MS
    user.at(4, 0.5)
    user.at(5, 0.5)
    assert user.told == [
        ("sent", "raised", None),
        ("suppressed", "raised", "cooldown"),
        ("sent", "raised", None),
    ], "an obstacle is put on record once"


def test_no_more_alerts_a_week_than_the_cap() -> None:
    user = User(cooldown_ms=0, weekly_cap=1)
    user.at(1, 0.45)
    resolve(user.alert_state, user.situation(2, 0.1)._replace(reason="purchase"))
    assert user.at(3, 0.45).again_ms == START + DAY_MS + WEEK_MS
    user.at(8, 0.45)
    assert user.told[1:] == [("suppressed", "raised", "cap"), ("sent", "raised", None)]


def test_who_came_once_and_who_is_gone_are_not_alerted_on() -> None:
    user = User()
    user.at(1, 0.9, active_days=1)
    user.at(28, 0.9)
    assert user.told == [("suppressed", "raised", "not_eligible"), ("suppressed", "raised", "churned")]


def test_a_raise_competes_at_the_days_end() -> None:
    user = User(daily_budget=1)
    midnight = START + 2 * DAY_MS
    assert user.at(1.5, 0.45).again_ms == midnight
    assert user.at(2, 0.45).competes
    assert user.at(2, 0.45, granted=False).again_ms == midnight + DAY_MS
    assert user.at(3, 0.45).competes
    user.at(3, 0.45, granted=True)
    assert user.told == [("suppressed", "raised", "budget"), ("sent", "raised", None)]


@pytest.mark.parametrize(
    ("day", "ends"),
    [
        (0.5, 23 / 24),  # 1 January 2017: midnight in Berlin is 23:00 UTC
        (23.5 / 24, 1 + 23 / 24),  # which is past by half an hour
        (84.5, 84 + 22 / 24),  # 26 March, with summer time since the morning
        (301.0, 301 + 23 / 24),  # 29 October, when it ends
    ],
)
def test_the_day_of_the_budget_ends_at_local_midnight(day: float, ends: float) -> None:
    user = User(daily_budget=1, horizon_ms=400 * DAY_MS)
    berlin, midnight_ms = calendar_of("Europe/Berlin"), START + round(ends * DAY_MS)
    assert user.at(day, 0.45, calendar=berlin).again_ms == midnight_ms
    assert user.at(ends, 0.45, calendar=berlin, now_ms=midnight_ms, open_ms=midnight_ms).competes


def test_a_day_that_has_spent_its_budget_is_not_competed_for() -> None:
    user = User(daily_budget=1)
    assert user.at(1.5, 0.45, open_ms=START + 5 * DAY_MS).again_ms == START + 6 * DAY_MS


def test_the_held_out_are_followed_in_silence() -> None:
    user = User(holdout_share=1.0)
    user.at(1, 0.45)
    user.at(2, 0.7)
    assert user.told == [("held_out", "raised", "holdout"), ("held_out", "escalated", "holdout")]
    assert all(d.alert_id is None for d in user.decisions)


def test_the_held_out_compete_for_the_budget_like_everybody() -> None:
    user = User(holdout_share=1.0, daily_budget=1)
    user.at(1.5, 0.45)
    assert user.at(2, 0.45).competes
    user.at(2, 0.45, granted=True)
    assert user.told == [("held_out", "raised", "holdout")]


def test_what_began_before_alerts_were_sent_becomes_one_when_it_gets_worse() -> None:
    user = User(alerts_from_ms=START + 3 * DAY_MS)
    user.at(1, 0.45)
    assert user.at(4, 0.5) == Verdict()
    user.at(5, 0.65)
    assert user.told == [("backfill", "raised", "alerts_from"), ("sent", "raised", None)]
    assert user.decisions[-1].revision == 1


def test_what_began_before_alerts_were_sent_is_no_news_while_the_user_is_on_time() -> None:
    user = User(alerts_from_ms=START + 3 * DAY_MS)
    user.at(1, 0.45)
    overdue_ms = START + 6 * DAY_MS
    assert user.at(5, 0.65, overdue_ms=overdue_ms) == Verdict(again_ms=overdue_ms)
    user.at(6, 0.65, overdue_ms=overdue_ms)
    assert user.told == [("backfill", "raised", "alerts_from"), ("sent", "raised", None)]


def test_a_dwell_begins_anew_when_nothing_was_usual_meanwhile() -> None:
    user = User(raise_dwell_ms=2 * DAY_MS)
    user.at(1, 0.65)
    user.at(2, math.nan)
    assert user.at(4, 0.65) == Verdict(again_ms=START + 6 * DAY_MS)
    assert user.told == [("suppressed", "raised", "no_usual")]


def test_where_nothing_is_usual_what_waited_is_overtaken() -> None:
    user = User()
    user.at(1, 0.65, held=True)
    user.at(2, math.nan)
    user.at(3, math.nan)
    assert user.told == [("overtaken", "raised", "lag"), ("suppressed", "raised", "no_usual")]


def test_the_holdout_is_stable_and_as_large_as_asked() -> None:
    policy = msgspec.structs.replace(POLICY, holdout_share=0.1, holdout_salt="a")
    other = msgspec.structs.replace(policy, holdout_salt="b")
    users = [f"u{n}" for n in range(20_000)]
    held = {user for user in users if policy.holds_out(user)}
    assert held == {user for user in users if policy.holds_out(user)}
    assert len(held) == pytest.approx(2000, abs=200)
    assert len(held & {user for user in users if other.holds_out(user)}) == pytest.approx(200, abs=80)


def test_the_partitions_parts_of_the_budget_add_up() -> None:
    policy = msgspec.structs.replace(POLICY, daily_budget=7)
    assert sorted(policy.budget_of(number, 4, 0) for number in range(4)) == [1, 2, 2, 2]


@pytest.mark.parametrize(("budget", "partitions"), [(3, 8), (7, 4), (8, 8), (0, 3)])
def test_what_cannot_be_shared_out_evenly_goes_round(budget: int, partitions: int) -> None:
    policy = msgspec.structs.replace(POLICY, daily_budget=budget)
    days = [
        [policy.budget_of(p, partitions, day) for p in range(partitions)] for day in range(20_000, 20_008)
    ]
    assert {sum(parts) for parts in days} == {budget}
    assert {sum(parts) for parts in zip(*days[:partitions], strict=True)} == {budget}


@pytest.mark.parametrize(
    "changed", [{"edges": (0.6, 0.4, 0.8)}, {"edges": (0.0, 0.4, 0.8)}, {"hysteresis": 0.4}]
)
def test_a_policy_that_contradicts_itself_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changed))):
        msgspec.structs.replace(POLICY, **changed)


def test_an_alert_already_sent_is_followed_though_alerts_begin_later_by_now() -> None:
    user = User(leave_dwell_ms=0, cooldown_ms=0)
    user.at(1, 0.45)
    user.policy = msgspec.structs.replace(user.policy, alerts_from_ms=START + 20 * DAY_MS)
    assert user.at(2, 0.65, held=True) == Verdict(), "what is sent waits for the partition"
    for day, risk in ((3, 0.65), (4, 0.45), (5, 0.2), (9, 0.45)):
        user.at(day, risk)
    assert user.told == [
        ("sent", "raised", None),
        ("sent", "escalated", None),
        ("sent", "deescalated", None),
        ("sent", "resolved", None),
        ("backfill", "raised", "alerts_from"),
    ]
    assert [decision.revision for decision in user.decisions] == [1, 2, 3, 4, None]
