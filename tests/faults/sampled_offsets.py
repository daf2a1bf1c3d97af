"""Offsets committed while faults struck: none may have been ahead of what a reader could see."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

from schemas.topics import with_prefix
from tests.faults.checker import Observed
from tests.faults.findings import Finding
from tests.faults.progress import Ends, Sample
from tests.faults.reference import KEPT, Expected

VISIBLE_WITHIN_S = 2.0
"""The broker writes the markers of one transaction to its partitions one after the other."""


def check_samples(
    prefix: str,
    samples: Sequence[Sample],
    ends: Sequence[Ends],
    observed: Mapping[int, Observed],
    expected: Mapping[int, Expected],
    renewed_at: Mapping[str, tuple[float, Mapping[int, int]]],
) -> Iterator[Finding]:
    """Everything that the records below a committed offset cause was to be seen soon after.

    ``renewed_at``: when a topic of the contract was last created anew, and how many records of each
    partition had been read before; samples of before say nothing of it.
    """
    times = [sample.at for sample in samples]
    causes = {
        (topic, partition): [effect.cause for effect in expected[partition].kept[topic]]
        for topic in KEPT
        for partition in expected
    }
    offsets = {
        (topic, partition): [row.offset for row in observed[partition].kept[topic]][
            _before(renewed_at, topic, partition) :
        ]
        for topic in KEPT
        for partition in expected
    }
    for seen in ends:
        newest = bisect_right(times, seen.at - VISIBLE_WITHIN_S) - 1
        if newest < 0:
            continue
        sample = samples[newest]
        for (topic, partition), caused in causes.items():
            if sample.at < renewed_at.get(topic, (0.0, {}))[0]:
                continue
            end = seen.ends[with_prefix(prefix, topic), partition]
            visible = _before(renewed_at, topic, partition) + bisect_left(offsets[topic, partition], end)
            committed = sample.committed[partition]
            required = bisect_left(caused, committed)
            if visible < required:
                yield Finding(
                    "offset_ahead",
                    partition,
                    f"{committed} was committed with {required - visible} records of {topic} unseen",
                    cause=caused[visible],
                )


def _before(renewed_at: Mapping[str, tuple[float, Mapping[int, int]]], topic: str, partition: int) -> int:
    return renewed_at[topic][1][partition] if topic in renewed_at else 0
