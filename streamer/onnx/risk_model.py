"""The risk model of a bundle: incremental transformer steps and queries, each row independent of its batch.

A user whose cache is missing or does not fit is rebuilt from the stored tokens: from many of them in one
run of the rebuild graph, from few by the step graph, in lockstep with all others who are. On the CPU both
agree bit by bit, as each takes the same sums of the same numbers in the same order, and batches are padded so
that no row meets a kernel's remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from streamer.core.aggregates import AGGREGATES
from streamer.core.calendar import Calendar
from streamer.core.changes import NO_OUTLOOK, Outlook
from streamer.core.model import Encoding
from streamer.core.reference import ReferencePoint
from streamer.core.token import TOKEN_BYTES, TokenArray, as_array, place
from streamer.core.transformer_inputs import TransformerInputs, transformer_inputs
from streamer.onnx.arena_cache import ArenaCache
from streamer.onnx.graphs import Bundle
from streamer.onnx.key_values import KeyValueCache
from streamer.onnx.older_cache import OlderCache
from streamer.onnx.outlook import AlertGraph
from streamer.onnx.padding import padded
from streamer.onnx.slots import Entry, Slots

QUERY_BATCH: Final = 1024

_KEY_BYTES: Final = 12  # a packed token's time and event hash, which tell it from every other of its ring


class _Task(NamedTuple):
    """The last ``tokens`` tokens of the user's ring are to be run, from an empty cache if ``anew``."""

    encoding: Encoding
    entry: Entry
    tokens: int
    anew: bool


class OnnxRiskModel:
    """A :class:`~streamer.core.model.RiskModel` over a loaded bundle; ``arena_users`` bounds its memory.

    Each takes :func:`~streamer.onnx.arena.slot_bytes`. Raises ``ConfigurationError`` where a GPU has less.
    """

    def __init__(self, bundle: Bundle, arena_users: int) -> None:
        self.bundle = bundle
        self._reference = _reference_point(bundle)
        self._slots = Slots(arena_users)
        self._cache = key_value_cache(bundle, arena_users)
        self._batch = min(self._cache.batch, arena_users)
        heads = bundle.manifest.alert
        self.alert_graph = bundle.alert and heads and AlertGraph(bundle.alert, bundle.manifest, heads)

    @property
    def identity(self) -> bytes:
        """First 8 bytes of the bundle's SHA-256."""
        return bytes.fromhex(self.bundle.sha256)[:8]

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that the sessions use, in their order of preference."""
        every = (provider for session in self.bundle.sessions for provider in session.get_providers())
        return tuple(dict.fromkeys(every))

    @property
    def silence_grid_ms(self) -> tuple[int, ...]:
        """The bundle's silence grid."""
        return tuple(1000 * step for step in self.bundle.manifest.silence_grid_s)

    @property
    def ring_tokens(self) -> int:
        """Tokens that rebuild a hidden vector exactly."""
        return self.bundle.manifest.exact_tokens

    @property
    def calendar(self) -> Calendar:
        """The bundle's time zone."""
        return self.bundle.calendar

    @property
    def reference(self) -> ReferencePoint | None:
        """The bundle's typical active customer."""
        return self._reference

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]`` after each user's newest token; a user at most once a call."""
        for encoding in encodings:
            # Now the most recently used: those who are cached do not give way to each other's neighbours.
            self._slots.find(encoding.user_id)
        hidden = np.empty((len(encodings), self.bundle.manifest.width), np.float32)
        for start in range(0, len(encodings), self._batch):
            tasks = [self._task(encoding) for encoding in encodings[start : start + self._batch]]
            hidden[start : start + len(tasks)] = self._run(tasks)
        return hidden

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> list[Outlook]:
        """What to expect of each user; nothing, where the bundle has no alert graph."""
        if self.alert_graph is None:
            return [NO_OUTLOOK for _ in rings]
        return self.alert_graph.outlook(hidden, features, rings)

    def query(
        self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """Probability ``[queries]`` of no event of the churn kind within the horizon."""
        answers = np.empty(len(hidden), np.float64)
        for start in range(0, len(hidden), QUERY_BATCH):
            part = slice(start, min(start + QUERY_BATCH, len(hidden)))
            inputs = {"hidden": padded(hidden[part]), "features": padded(features[part])}
            (probability,) = cast(list[npt.NDArray[np.float32]], self.bundle.query.run(None, inputs))
            answers[part] = probability[: part.stop - part.start]
        return answers

    def evict(self, user_ids: Iterable[str]) -> None:
        """Drop the cache of these users: it will be rebuilt when they are next encoded."""
        self._slots.evict(user_ids)

    def forget_all(self) -> None:
        """Drop the whole cache."""
        self._slots.forget_all()

    def _task(self, encoding: Encoding) -> _Task:
        """What has to be run, with the user's entry brought to where it will be afterwards."""
        ring, position = encoding.ring, encoding.position
        entry = self._slots.find(encoding.user_id)
        tokens, anew = min(len(ring) // TOKEN_BYTES, self.ring_tokens), True
        if entry is None:
            entry = self._slots.claim(encoding.user_id)
        elif encoding.appended and (behind := _tokens_behind(entry, ring, position)):
            tokens, anew = behind, False
        entry.position = position
        entry.newest = _key(ring, len(ring) - TOKEN_BYTES)
        return _Task(encoding, entry, tokens, anew)

    def _run(self, tasks: list[_Task]) -> npt.NDArray[np.float32]:
        hidden = np.empty((len(tasks), self.bundle.manifest.width), np.float32)
        at_once = np.array([self._is_at_once(task) for task in tasks])
        for chosen, run in ((at_once, self._rebuild), (~at_once, self._step_through)):
            places = np.flatnonzero(chosen)
            if len(places):
                hidden[places] = run([tasks[place] for place in places])
        return hidden

    def _is_at_once(self, task: _Task) -> bool:
        least = self._cache.least_rebuilt
        return least is not None and task.anew and least <= task.tokens

    def _rebuild(self, tasks: list[_Task]) -> npt.NDArray[np.float32]:
        counts = np.array([task.tokens for task in tasks])
        positions = np.array([task.encoding.position for task in tasks])
        return self._cache.rebuild(self._inputs(tasks), counts, positions, _slots_of(tasks))

    def _step_through(self, tasks: list[_Task]) -> npt.NDArray[np.float32]:
        anew = [task for task in tasks if task.anew]
        if anew:
            self._cache.clear(_slots_of(anew))
        counts = np.array([task.tokens for task in tasks])
        inputs, slots = self._inputs(tasks), _slots_of(tasks)
        first_positions = np.array([task.encoding.position + 1 for task in tasks]) - counts
        first_inputs = np.cumsum(counts) - counts
        hidden = np.empty((len(tasks), self.bundle.manifest.width), np.float32)
        for step in range(counts.max()):
            users = np.flatnonzero(counts > step)
            at = first_inputs[users] + step
            round_inputs = TransformerInputs(inputs.codes[at], inputs.numbers[at])
            hidden[users] = self._cache.step(round_inputs, first_positions[users] + step, slots[users])
        return hidden

    def _inputs(self, tasks: list[_Task]) -> TransformerInputs:
        """Inputs of all tokens that are to be run, user after user."""
        tokens = as_array(b"".join(task.encoding.ring[-task.tokens * TOKEN_BYTES :] for task in tasks))
        encoding = self.bundle.manifest.token_encoding
        before = _previous_times(tasks, tokens)
        return transformer_inputs(
            tokens, before, encoding.category_buckets, encoding.item_buckets, self.calendar
        )


def key_value_cache(bundle: Bundle, users: int) -> KeyValueCache:
    """Room for the keys and values of ``users``, with the graphs of ``bundle`` that move them on."""
    kind = ArenaCache if bundle.transformer.in_place else OlderCache
    return kind(bundle.transformer, bundle.manifest, users)


def _reference_point(bundle: Bundle) -> ReferencePoint | None:
    stated = bundle.manifest.reference
    if stated is None:
        return None
    ages = np.array([stated.aggregates[name] for name in AGGREGATES], np.float64)  # None becomes NaN
    return ReferencePoint(stated.silence_ms, ages, np.array(stated.hidden, np.float32))


def _slots_of(tasks: Iterable[_Task]) -> npt.NDArray[np.int64]:
    return np.array([task.entry.slot for task in tasks], np.int64)


def _tokens_behind(entry: Entry, ring: bytes, position: int) -> int:
    """How many tokens of the ring an entry has yet to see, 0 when it cannot go on from where it is."""
    behind = position - entry.position
    at = len(ring) - (behind + 1) * TOKEN_BYTES
    return behind if behind > 0 and at >= 0 and _key(ring, at) == entry.newest else 0


def _key(ring: bytes, at: int) -> bytes:
    return ring[at : at + _KEY_BYTES]


def _previous_times(tasks: list[_Task], tokens: TokenArray) -> npt.NDArray[np.float64]:
    """Time of the event before each token, NaN before a user's first."""
    before = np.empty(len(tokens))
    before[1:] = tokens["time"][:-1]
    start = 0
    for task in tasks:
        ring, at = task.encoding.ring, len(task.encoding.ring) - (task.tokens + 1) * TOKEN_BYTES
        held = place(ring, at)[0] if at >= 0 else task.encoding.time_before_ring
        before[start] = held
        start += task.tokens
    return before
