from __future__ import annotations

import msgspec
import pytest

from schemas.errors import StateError
from streamer.core.standing import Episode, Standing
from streamer.core.user_state import STATE_VERSION, UserState, decode_state, encode_state


def test_state_reads_back() -> None:
    state = UserState(
        ring=b"x" * 26,
        placed=1,
        risk=0.25,
        curve=b"\0" * 8,
        standing=Standing(Episode("a", 2, 1, 5, 6), raised_ms=(5,)),
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
