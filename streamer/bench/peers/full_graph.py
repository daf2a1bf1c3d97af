"""Scoring by the full graph: for each event the model is run over the user's last tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
import numpy as np
import numpy.typing as npt

from streamer.core.history.aggregates import advance
from streamer.core.history.packed import stacked
from streamer.core.history.ring import put
from streamer.core.history.token import TOKEN_BYTES, as_array
from streamer.core.model.features import features_at
from streamer.core.model.transformer_inputs import transformer_inputs
from streamer.inference.bundle import Bundle

BATCH: Final = 64
"""Users a run, where there are many: the rebuild graph's fastest."""


class PeerState(msgspec.Struct, array_like=True, gc=False):
    """What a peer keeps of a user: less than the worker, which also follows silences and alerts.

    ``ring``: the last packed tokens, full. ``running``: packed aggregates. ``placed``: events so far.
    """

    ring: bytes
    running: bytes
    time_before_ring: float
    placed: int

    def encode(self) -> bytes:
        """As a MessagePack array."""
        return _encoder.encode(self)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PeerState)


def decode_peer_state(stored: bytes) -> PeerState:
    """The state in ``stored``."""
    return _decoder.decode(stored)


class FullGraph:
    """A bundle's model without a cache of keys and values: the rebuild graph, then the query graph."""

    def __init__(self, bundle: Bundle) -> None:
        """``bundle`` must have a rebuild graph."""
        assert bundle.transformer.rebuild is not None
        self._rebuild = bundle.transformer.rebuild
        self._query = bundle.query
        self._manifest = bundle.manifest
        self._calendar = bundle.calendar

    def score(self, states: Sequence[PeerState], tokens: Sequence[bytes]) -> list[float]:
        """Add each user's token to the user's state, which is updated, and return the risks.

        A user at most once a call.
        """
        risks: list[float] = []
        for start in range(0, len(states), BATCH):
            part = states[start : start + BATCH]
            risks += self._run(part, tokens[start : start + BATCH])
        return risks

    def _run(self, states: Sequence[PeerState], tokens: Sequence[bytes]) -> list[float]:
        running = stacked([state.running for state in states])
        newest = as_array(b"".join(tokens))
        running = advance(running, newest, self._calendar)
        for state, token, row in zip(states, tokens, running, strict=True):
            placed = put(state.ring, token, self._manifest.exact_tokens, state.time_before_ring)
            state.time_before_ring = float(as_array(placed.left[-TOKEN_BYTES:])["time"][0])
            state.ring = placed.ring
            state.running = row.tobytes()
            state.placed += 1
        hidden = self._hidden(states)
        features = features_at(running, newest["time"].astype(np.float64))
        feed = {"hidden": hidden, "features": features[:, : len(self._manifest.features)].copy()}
        absence, *of_decline = cast(list[npt.NDArray[np.float32]], self._query.run(None, feed))
        risk = absence if self._manifest.definition == "absence" else of_decline[0]
        return risk.tolist()

    def _hidden(self, states: Sequence[PeerState]) -> npt.NDArray[np.float32]:
        users, length = len(states), self._manifest.exact_tokens
        encoding = self._manifest.token_encoding
        tokens = as_array(b"".join(state.ring for state in states))
        before = np.empty(len(tokens))
        before[1:] = tokens["time"][:-1]
        before[::length] = [state.time_before_ring for state in states]
        inputs = transformer_inputs(
            tokens,
            before,
            encoding.category_buckets,
            encoding.item_buckets,
            self._calendar,
            encoding.types,
        )
        # Without the worker's padding: that buys the same bits in any batch, which nobody asks of a peer.
        feed: dict[str, npt.NDArray[Any]] = {
            "codes": inputs.codes.reshape(users, length, -1),
            "numbers": inputs.numbers.reshape(users, length, -1),
            "count": np.full(users, length, np.int64),
            "position": np.array([state.placed - 1 for state in states], np.int64),
        }
        feed |= self._slots(users)
        return cast(list[npt.NDArray[np.float32]], self._rebuild.run(["hidden"], feed))[0]

    def _slots(self, users: int) -> dict[str, npt.NDArray[Any]]:
        """Where the graph writes the keys and values that a peer has no use for."""
        slots = np.zeros((users * 2 * self._manifest.window, self._manifest.width), np.float32)
        return {"slot": np.arange(users), **{f"arena_{n}": slots for n in range(self._manifest.layers)}}
