from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from schemas.errors import StateError
from schemas.units import DAY_MS
from streamer.core import user_state
from streamer.core.alerts.alert_state import AlertState, Episode
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import REVIEW_SPREAD_MS
from streamer.core.history.aggregates import COLUMN, fold
from streamer.core.history.aggregates_row import AggregatesRow
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array
from streamer.core.user_state import (
    STATE_VERSION,
    UserState,
    decode_state,
    encode_state,
)
from streamer.testing import PartitionDriver
from streamer.testing.fixed_model import FixedModel

STORED = Path(__file__).parents[2] / "fixtures" / "states"
"""Two users as each version stored them: ``few`` has three purchases, ``many`` more events than the ring."""

STORED_AT_MS = 1_483_228_800_000 + 25 * DAY_MS


def stored_version(stored: bytes) -> int:
    return msgspec.msgpack.decode(stored)[0]


@pytest.mark.parametrize("user", ["few", "many"])
def test_the_layout_of_states_does_not_change_without_a_new_version(user: str) -> None:
    stored = (STORED / f"version-{STATE_VERSION}-{user}.msgpack").read_bytes()
    state = decode_state(stored)
    assert encode_state(state) == stored
    assert np.frombuffer(state.running)[COLUMN["purchases"]] == 3 or state.placed == 12
    assert state.alert_state.episode is not None
    assert state.model == FixedModel.identity


@pytest.mark.parametrize("user", ["few", "many"])
def test_the_sums_that_version_2_lacks_are_estimated(user: str) -> None:
    """The few purchases lie within some days, where the estimate is what a fold would have given, nearly."""
    state = decode_state((STORED / f"version-2-{user}.msgpack").read_bytes())
    row = AggregatesRow.unpacked(state.running)
    assert state.version == STATE_VERSION
    assert row.visits_45d < row.visits_90d <= row.visit_days
    assert row.purchases_45d <= row.purchases_90d <= row.purchase_days
    assert row.value_45d <= row.value_90d <= row.value
    assert row.value_90d > 0 or user == "many"
    folded = fold(np.frombuffer(state.past)[np.newaxis], [as_array(state.ring)], UTC)[0]
    assert AggregatesRow(*folded).visits_90d == pytest.approx(row.visits_90d, rel=0.05)


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> int:
    """A program of the version after, which keeps the risk in percent."""

    def in_percent(state: UserState) -> None:
        state.risk *= 100

    monkeypatch.setattr(user_state, "UPGRADES", {STATE_VERSION: in_percent})
    monkeypatch.setattr(user_state, "STATE_VERSION", STATE_VERSION + 1)
    return STATE_VERSION + 1


def test_a_state_of_the_version_before_is_read_and_brought_up(next_version: int) -> None:
    state = decode_state(encode_state(UserState(risk=0.25)))
    assert (state.version, state.risk) == (next_version, 25.0)
    assert stored_version(encode_state(state)) == next_version


def test_every_state_of_the_version_before_is_written_anew_within_the_hour(next_version: int) -> None:
    policy = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, least_active_days=1)
    run = PartitionDriver.of(policy, FixedModel())
    for user in ("few", "many"):
        run.table[user] = (STORED / f"version-{STATE_VERSION}-{user}.msgpack").read_bytes()
    run.clock_ms = STORED_AT_MS
    # A new version is among the rules that stamps name.
    run.rules = run.rules._replace(any_event_returns=True)
    run.recover()
    run.process([], STORED_AT_MS + REVIEW_SPREAD_MS + 60_001)
    assert {stored_version(stored) for stored in run.table.values()} == {next_version}


def test_a_state_of_two_versions_before_names_the_release_in_between() -> None:
    state = UserState(version=STATE_VERSION - 2)
    with pytest.raises(StateError, match=f"version {state.version}.*release in between"):
        decode_state(encode_state(state))


def test_state_reads_back() -> None:
    state = UserState(
        ring=b"x" * 26,
        placed=1,
        risk=0.25,
        curve=b"\0" * 8,
        alert_state=AlertState(Episode("a", 2, 1, 5, 6), raised_ms=(5,)),
    )
    assert encode_state(decode_state(encode_state(state))) == encode_state(state)


def test_state_of_a_newer_version_is_refused_in_words() -> None:
    newer = msgspec.msgpack.encode([STATE_VERSION + 1, {"anything": "else"}])
    with pytest.raises(StateError, match=f"version {STATE_VERSION + 1}.*newer"):
        decode_state(newer)
    state = UserState()
    state.version = STATE_VERSION + 1
    with pytest.raises(StateError, match=f"version {STATE_VERSION + 1}"):
        decode_state(encode_state(state))


@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x93\x01", msgspec.msgpack.encode({"a": 1})])
def test_damaged_state_is_refused_in_words(damaged: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        decode_state(damaged)
