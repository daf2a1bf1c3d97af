from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from schemas.errors import StateError
from schemas.units import DAY_MS
from streamer.core.alerts.alert_state import AlertState, Episode
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import REVIEW_SPREAD_MS
from streamer.core.history.aggregates import COLUMN
from streamer.core.user_state import (
    NO_AGGREGATES,
    READ_VERSIONS,
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


@pytest.mark.parametrize("version", READ_VERSIONS)
def test_states_of_this_version_and_of_the_one_before_are_read(version: int) -> None:
    few, many = (
        decode_state((STORED / f"version-{version}-{user}.msgpack").read_bytes()) for user in ("few", "many")
    )
    assert (few.placed, few.base, few.past) == (3, b"", NO_AGGREGATES)
    assert np.frombuffer(few.running)[COLUMN["purchases"]] == 3
    assert (many.placed, len(many.ring) // 26) == (12, FixedModel.ring_tokens)
    assert np.frombuffer(many.past)[COLUMN["events"]] == 4
    for state in (few, many):
        assert state.alert_state.episode is not None
        assert state.model == FixedModel.identity


@pytest.mark.parametrize("user", ["few", "many"])
def test_what_was_read_is_written_in_this_version(user: str) -> None:
    before, after = ((STORED / f"version-{version}-{user}.msgpack").read_bytes() for version in READ_VERSIONS)
    read, written = decode_state(before), decode_state(after)
    assert stored_version(encode_state(read)) == STATE_VERSION
    assert encode_state(written) == after, "the layout has changed without a new version"
    # The stamp names the version, so that it differs is what makes the user looked at again.
    read.alert_state.stamp = written.alert_state.stamp
    assert encode_state(read) == after


def test_every_state_of_the_version_before_is_written_anew_within_the_hour() -> None:
    policy = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS, least_active_days=1)
    run = PartitionDriver.of(policy, FixedModel())
    for user in ("few", "many"):
        run.table[user] = (STORED / f"version-{READ_VERSIONS[0]}-{user}.msgpack").read_bytes()
    run.clock_ms = STORED_AT_MS
    run.recover()
    run.process([], STORED_AT_MS + REVIEW_SPREAD_MS + 60_001)
    assert {stored_version(stored) for stored in run.table.values()} == {STATE_VERSION}


def test_state_of_a_version_too_old_names_the_release_in_between() -> None:
    state = UserState()
    state.version = READ_VERSIONS[0] - 1
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
