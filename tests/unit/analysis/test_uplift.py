"""From decisions and events to an uplift: who counts, with which raise, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.alert import Transition
from schemas.decision import DecisionAction, DecisionMessage
from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from schemas.wire.encoding import encode_decision
from streamer.analysis.uplift.estimate import estimate
from streamer.analysis.uplift.outcome import Outcome, Returned, first_raises, outcome
from streamer.cli import run
from streamer.data.files import write_events

START_MS = 1_483_228_800_000
HORIZON_MS = 28 * DAY_MS


def decision(
    user_id: str,
    day: float,
    action: DecisionAction = "sent",
    would: Transition = "raised",
    reason: str = "silence",
) -> DecisionMessage:
    at = format_timestamp(START_MS + int(day * DAY_MS))
    return DecisionMessage(
        user_id=user_id, decided_at=at, action=action, reason=reason, would=would, policy="0" * 64
    )


def purchase(user_id: str, day: float, kind: str = "purchase") -> Event:
    return Event(f"{user_id}-{day}", user_id, kind, START_MS + int(day * DAY_MS))


def judged(decisions: list[DecisionMessage], events: list[Event], *, any_event: bool = False) -> Outcome:
    return outcome(first_raises(decisions), [*events, purchase("end", 100)], HORIZON_MS, any_event=any_event)


@pytest.mark.parametrize(
    ("events", "returned"),
    [
        ([purchase("u", 10.5)], 1),
        ([purchase("u", 38)], 1),
        ([purchase("u", 38.01)], 0),
        ([purchase("u", 10)], 0),
        ([purchase("u", 9)], 0),
        ([purchase("u", 11, "view")], 0),
        ([purchase("v", 11)], 0),
        ([purchase("u", 20), purchase("u", 12), purchase("u", 9)], 1),
    ],
)
def test_a_return_is_a_purchase_within_the_horizon_after_the_decision(
    events: list[Event], returned: int
) -> None:
    assert judged([decision("u", 10)], events).sent == Returned(1, returned)


def test_any_event_is_a_return_where_churn_is_the_absence_of_any() -> None:
    assert judged([decision("u", 10)], [purchase("u", 11, "view")], any_event=True).sent.returned == 1


def test_a_user_counts_once_with_the_first_raise_in_whatever_order_they_are_read() -> None:
    raises = [decision("u", 40), decision("u", 10), decision("u", 70)]
    for decisions in (raises, raises[::-1]):
        assert judged(decisions, [purchase("u", 45)]).sent == Returned(1, 0)


@pytest.mark.parametrize("action", ["backfill", "suppressed", "overtaken"])
def test_only_what_was_sent_or_held_out_counts(action: DecisionAction) -> None:
    found = judged([decision("u", 10, action), decision("v", 10, would="resolved")], [])
    assert found == Outcome(Returned(0, 0), Returned(0, 0), 0)


def test_whose_horizon_is_not_over_waits_even_after_a_return() -> None:
    found = judged([decision("u", 73), decision("v", 71.9, "held_out")], [purchase("u", 80)])
    assert found == Outcome(Returned(0, 0), Returned(1, 0), 1)


def test_who_was_in_both_arms_is_in_neither() -> None:
    raises = first_raises([decision("u", 1), decision("u", 40, "held_out"), decision("v", 1)])
    assert raises.in_both == {"u"}
    assert set(raises.first) == {"v"}


def test_too_small_a_sample_is_said_to_be() -> None:
    small = estimate(Returned(90, 45), Returned(10, 4), effect=0.05)
    assert not small.enough
    assert small.detectable is not None
    assert small.detectable > 0.3
    assert small.needed_held_out is not None
    assert small.needed_held_out > 500
    large = estimate(Returned(90_000, 45_000), Returned(10_000, 4_000), effect=0.05)
    assert large.enough
    assert large.interval is not None
    assert large.uplift == pytest.approx(0.1)
    assert 0.08 < large.interval.low < 0.1 < large.interval.high < 0.12
    nobody = estimate(Returned(5, 1), Returned(0, 0), effect=0.05)
    assert (nobody.uplift, nobody.interval, nobody.enough) == (None, None, False)


def files(tmp_path: Path, users: int, *, held_out_every: int) -> list[str]:
    """Every user is raised once; of the alerted every second returns, of the held out every fourth."""
    decisions: list[DecisionMessage] = []
    events = [purchase("end", 100)]
    for number in range(users):
        held_out = number % held_out_every == 0
        decisions.append(decision(f"u{number}", 1, "held_out" if held_out else "sent"))
        if number // held_out_every % (4 if held_out else 2) == 0:
            events.append(purchase(f"u{number}", 3))
    (tmp_path / "decisions.ndjson").write_bytes(b"\n".join(map(encode_decision, decisions)) + b"\n\n")
    write_events(tmp_path / "events.parquet", events)
    return ["--decisions", str(tmp_path / "decisions.ndjson"), "--events", str(tmp_path / "events.parquet")]


def report_of(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    report = tmp_path / "report.json"
    assert run(["uplift", *arguments, "--report", str(report)]) == 0
    return json.loads(report.read_text())


def test_the_command_tells_the_uplift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path, *files(tmp_path, 10_000, held_out_every=5))
    told = capsys.readouterr()
    assert "8,000 users, 4,000 bought within 28 days: 50.0%" in told.out
    assert "2,000 users, 500 bought within 28 days: 25.0%" in told.out
    assert "uplift   +25.0 points, 95% interval +22.8 to +27.1" in told.out
    assert "too small" not in told.out
    assert told.err == ""
    assert report["uplift"] == 0.25
    assert report["enough"] is True
    assert report["sent"] == {"users": 8000, "returned": 4000, "rate": 0.5}


def test_the_command_says_how_many_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path, *files(tmp_path, 100, held_out_every=5))
    told = capsys.readouterr().out
    assert "The sample is too small for an uplift of 5 points" in told
    assert f"Needed at the same shares: {report['needed_held_out']:,} users held out" in told
    assert report["enough"] is False


def test_without_a_holdout_nothing_is_claimed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path, *files(tmp_path, 100, held_out_every=1))
    assert "uplift unknown" in capsys.readouterr().out
    assert report["uplift"] is None


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b'{"user_id": "u"}\n', 1, "decisions.ndjson, row 1: no decision"),
        (b"\n{broken\n", 1, "decisions.ndjson, row 2: no decision"),
    ],
)
def test_a_damaged_file_names_its_row(
    tmp_path: Path, content: bytes, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = files(tmp_path, 10, held_out_every=5)
    (tmp_path / "decisions.ndjson").write_bytes(content)
    assert run(["uplift", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_missing_file_is_not_taken_for_a_topic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["uplift", "--decisions", str(tmp_path / "none.ndjson"), "--events", "e.csv"]) == 1
    assert "there is no file" in capsys.readouterr().err
