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

USERS_AT_ONCE: Final = 8192
"""Encoded side by side; bounds the memory that their inputs take."""

_KEY_BYTES: Final = 12  # a packed token's time and event hash, which tell it from every other of its ring


class _Task(NamedTuple):
    """The last ``tokens`` tokens are to be run, at least those asked for, from an empty cache if ``anew``."""

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
        self._users_at_once = min(USERS_AT_ONCE, arena_users)
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
        """Hidden vectors ``[asked, width]``, user by user, the newest last; a user at most once a call."""
        for encoding in encodings:
            # Now the most recently used: those who are cached do not give way to each other's neighbours.
            self._slots.find(encoding.user_id)
        rows = [np.empty((0, self.bundle.manifest.width), np.float32)]
        for start in range(0, len(encodings), self._users_at_once):
            rows.append(
                self._run([self._task(each) for each in encodings[start : start + self._users_at_once]])
            )
        return np.concatenate(rows)

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
        ring, position, asked = encoding.ring, encoding.position, encoding.asked
        entry = self._slots.find(encoding.user_id)
        tokens, anew = 0, True
        if entry is None:
            entry = self._slots.claim(encoding.user_id)
        elif encoding.appended:
            tokens = _tokens_behind(entry, ring, position)
            anew = tokens < asked
        if anew:
            tokens = min(len(ring) // TOKEN_BYTES, self.ring_tokens + asked - 1)
        entry.position = position
        entry.newest = _key(ring, len(ring) - TOKEN_BYTES)
        return _Task(encoding, entry, tokens, anew)

    def _run(self, tasks: list[_Task]) -> npt.NDArray[np.float32]:
        """Hidden vectors of all that the tasks ask for, one task after the other."""
        runs = _Runs(tasks, self._cache.least_rebuilt)
        tokens = as_array(b"".join([task.encoding.ring[-task.tokens * TOKEN_BYTES :] for task in tasks]))
        encoding = self.bundle.manifest.token_encoding
        before = _previous_times(tasks, tokens)
        inputs = transformer_inputs(
            tokens, before, encoding.category_buckets, encoding.item_buckets, self.calendar
        )
        hidden = np.empty((int(runs.asked.sum()), self.bundle.manifest.width), np.float32)
        self._rebuild(runs, inputs, hidden)
        self._step_through(runs, inputs, hidden)
        return hidden

    def _rebuild(self, runs: _Runs, inputs: TransformerInputs, hidden: npt.NDArray[np.float32]) -> None:
        """Run all up to the first token asked for of those users of whom that is many."""
        users = np.flatnonzero(runs.rebuilt)
        if len(users):
            counts = runs.rebuilt[users]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            at = np.repeat(runs.starts[users], counts) + within
            positions = runs.first_positions[users] + counts - 1
            hidden[runs.answers[users]] = self._cache.rebuild(
                TransformerInputs(inputs.codes[at], inputs.numbers[at]), counts, positions, runs.slots[users]
            )

    def _step_through(self, runs: _Runs, inputs: TransformerInputs, hidden: npt.NDArray[np.float32]) -> None:
        """Run the other tokens one by one, all users side by side."""
        if len(fresh := runs.slots[runs.anew & (runs.rebuilt == 0)]):
            self._cache.clear(fresh)
        steps = runs.tokens - runs.rebuilt
        for step in range(steps.max()):
            users = np.flatnonzero(steps > step)
            done = runs.rebuilt[users] + step
            at = runs.starts[users] + done
            found = self._cache.step(
                TransformerInputs(inputs.codes[at], inputs.numbers[at]),
                runs.first_positions[users] + done,
                runs.slots[users],
            )
            unasked = runs.tokens[users] - runs.asked[users]
            wanted = done >= unasked
            hidden[(runs.answers[users] + done - unasked)[wanted]] = found[wanted]


class _Runs:
    """Tasks as columns. ``starts``: of their tokens among all; ``answers``: of what they ask for, likewise.

    ``first_positions``: of their first tokens in their users' histories. ``rebuilt``: how many of the tokens
    are run at once; the rest are stepped through. That is none where there is no graph for it, or where there
    would be fewer than ``least_rebuilt``.
    """

    def __init__(self, tasks: Sequence[_Task], least_rebuilt: int | None) -> None:
        self.tokens = np.array([task.tokens for task in tasks])
        self.asked = np.array([task.encoding.asked for task in tasks])
        self.anew = np.array([task.anew for task in tasks])
        self.slots = np.array([task.entry.slot for task in tasks], np.int64)
        self.starts = np.cumsum(self.tokens) - self.tokens
        self.answers = np.cumsum(self.asked) - self.asked
        self.first_positions = np.array([task.encoding.position + 1 for task in tasks]) - self.tokens
        to_first = self.tokens - self.asked + 1
        many = (
            self.anew & (to_first >= least_rebuilt) if least_rebuilt is not None else np.zeros_like(self.anew)
        )
        self.rebuilt = np.where(many, to_first, 0)


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
