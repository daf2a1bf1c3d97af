"""The trial in event-time mode, whose every result is known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.faults.checker import check
from tests.faults.erased import check_erased, expected_without, observed_without, others
from tests.faults.findings import Finding
from tests.faults.reference import expect
from tests.faults.sampled_offsets import check_samples
from tests.faults.shoppers import Sent, Shoppers
from tests.faults.trial import Ended

USERS = 200
UNCOUNTED = ("erasures", "alerts", "decisions")
"""Counts that depend on when a request to forget somebody was carried out."""


class EventTimeTrial:
    """Two months a minute: shoppers come, fall silent for good, and are replaced."""

    settings: Mapping[str, str] = {"mode": "event-time"}
    per_s = 60.0
    settle_s = 0.0

    def __init__(self, seed: int) -> None:
        self.crowd = Shoppers(seed, USERS)

    def backlog(self) -> Sequence[Sent]:
        """None: the first event is the load's."""
        return ()

    def records(self) -> Iterator[Sent]:
        """The shoppers' records."""
        return self.crowd.stream()

    def judge(self, ended: Ended) -> Iterator[Finding]:
        """Everything must be what the reference makes of the input, at the end and at every sample."""
        field = ended.field
        expected = expect(ended.environment, ended.events, field.exchanges)
        erased = {user.encode() for user in field.erased}
        observed = {p: observed_without(each, erased) for p, each in ended.observed.items()}
        for partition, rows in ended.events.items():
            users = erased & {row.key for row in rows}
            yield from check_erased(partition, users, ended.observed[partition], expected[partition])
        expected = {p: expected_without(each, erased) for p, each in expected.items()}
        yield from check(observed, expected, uncounted=UNCOUNTED if erased else ())
        renewed = {
            topic: (at, {p: len(others(rows, erased)) for p, rows in field.earlier[topic].items()})
            for topic, at in field.renewed_at.items()
        }
        progress = field.progress
        yield from check_samples(
            field.shop.prefix, progress.samples, progress.ends, observed, expected, renewed
        )
