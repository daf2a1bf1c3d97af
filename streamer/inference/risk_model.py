"""The risk model of a bundle: incremental transformer steps and queries, each row independent of its batch.

A user whose cache is missing or does not fit is rebuilt from the stored tokens: from many of them in one
run of the rebuild graph, from few by the step graph, in lockstep with all others who are. On the CPU both
agree bit by bit, as each takes the same sums of the same numbers in the same order, and batches are padded so
that no row meets a kernel's remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from streamer.core.history.aggregates import AGGREGATES
from streamer.core.history.calendar import Calendar
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, decline_terms
from streamer.core.model.outlook import NO_OUTLOOK, Outlook
from streamer.core.model.reference import ReferencePoint
from streamer.core.model.risk_model import Encoding
from streamer.core.model.transformer_inputs import TransformerInputs, transformer_inputs
from streamer.inference.graphs.padding import padded
from streamer.inference.graphs.runs import Runs, task_of
from streamer.inference.graphs.slots import Slots
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.inference.key_values.arena_cache import ArenaCache
from streamer.inference.outlook import AlertGraph

QUERY_BATCH: Final = 1024

USERS_AT_ONCE: Final = 8192
"""Encoded side by side; bounds the memory that their inputs take."""


class OnnxRiskModel:
    """A :class:`~streamer.core.model.risk_model.RiskModel` over a loaded bundle; ``arena_users`` bounds its
    memory.

    Each takes :func:`~streamer.inference.graphs.arena.slot_bytes`. Raises ``ConfigurationError`` where a GPU
    has less.
    """

    def __init__(self, bundle: Bundle, arena_users: int) -> None:
        self.bundle = bundle
        self._decline = decline_terms(bundle.manifest)
        self._reference = _reference_point(bundle)
        self._slots = Slots(arena_users)
        self._cache = ArenaCache(bundle.transformer, bundle.manifest, arena_users)
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

    @property
    def decline(self) -> DeclineTerms | None:
        """The bundle's idea of decline, where that is its definition of who is being lost."""
        return self._decline

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[asked, width]``, user by user, the newest last; a user at most once a call."""
        if len(encodings) > self._users_at_once:
            for encoding in encodings:
                # Now the most recently used: who is cached does not give way to a neighbour who is not.
                self._slots.find(encoding.user_id)
        hidden = [np.empty((0, self.bundle.manifest.width), np.float32)]
        for start in range(0, len(encodings), self._users_at_once):
            hidden.append(self._run(encodings[start : start + self._users_at_once]))
        return np.concatenate(hidden)

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

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        """All that the query graph tells of each query."""
        outputs, known = len(self.bundle.query.get_outputs()), len(self.bundle.manifest.features)
        answers = np.empty((outputs, len(hidden)), np.float64)
        for start in range(0, len(hidden), QUERY_BATCH):
            part = slice(start, min(start + QUERY_BATCH, len(hidden)))
            inputs = {"hidden": padded(hidden[part]), "features": padded(features[part, :known])}
            found = cast(list[npt.NDArray[np.float32]], self.bundle.query.run(None, inputs))
            for answer, values in zip(answers, found, strict=True):
                answer[part] = values[: part.stop - part.start]
        return Answers(*answers)

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drop the cache of these users; on a GPU what was in it is gone once its slots are next filled."""
        freed = self._slots.evict(user_ids)
        if freed and self.bundle.transformer.device == "cpu":
            self._cache.clear(np.array(freed, np.int64))

    def forget_all(self) -> None:
        """Drop the whole cache."""
        self._slots.forget_all()

    def _run(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors of no more users than there are slots."""
        slots, rebuild_tokens = self._slots, self.ring_tokens
        # All are found before one is claimed, as above.
        entries = [slots.find(encoding.user_id) for encoding in encodings]
        tasks = [
            task_of(encoding, entry or slots.claim(encoding.user_id), rebuild_tokens)
            for encoding, entry in zip(encodings, entries, strict=True)
        ]
        runs = Runs(tasks, self._cache.least_rebuilt)
        tokens = runs.token_array()
        sizes = self.bundle.manifest.token_encoding
        inputs = transformer_inputs(
            tokens,
            runs.previous_times(tokens),
            sizes.category_buckets,
            sizes.item_buckets,
            self.calendar,
            sizes.types,
        )
        hidden = np.empty((int(runs.asked.sum()), self.bundle.manifest.width), np.float32)
        self._rebuild(runs, inputs, hidden)
        self._step_through(runs, inputs, hidden)
        return hidden

    def _rebuild(self, runs: Runs, inputs: TransformerInputs, hidden: npt.NDArray[np.float32]) -> None:
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

    def _step_through(self, runs: Runs, inputs: TransformerInputs, hidden: npt.NDArray[np.float32]) -> None:
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


def _reference_point(bundle: Bundle) -> ReferencePoint | None:
    stated = bundle.manifest.reference
    if stated is None:
        return None
    ages = np.array([stated.aggregates.get(name, 0.0) for name in AGGREGATES], np.float64)  # None becomes NaN
    return ReferencePoint(stated.silence_ms, ages, np.array(stated.hidden, np.float32))
