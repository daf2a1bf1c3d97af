"""Rounds made into figures: medians, spreads, and ratios within a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import msgspec

from streamer.bench.contest.sample import Sample
from streamer.bench.floors.spec import Spent


class Spread(msgspec.Struct, frozen=True):
    """Of the rounds: the middle one, the lowest and the highest."""

    median: float
    low: float
    high: float


class Rates(msgspec.Struct, frozen=True):
    """One contestant. ``cpu_us`` and ``broker_cpu_us``: microseconds an event, medians."""

    events_a_round: int
    users: int
    per_cpu_s: Spread
    per_wall_s: Spread
    cpu_us: float
    broker_cpu_us: float
    rss_mb: float | None


def spread(values: Sequence[float], digits: int = 1) -> Spread:
    """Of at least one value."""
    return Spread(round(median(values), digits), round(min(values), digits), round(max(values), digits))


def rates(samples: Sequence[Sample], users: int, rss_mb: float | None) -> Rates:
    """The figures of one contestant's rounds."""
    return Rates(
        events_a_round=samples[0].events,
        users=users,
        per_cpu_s=spread([sample.per_cpu_s for sample in samples]),
        per_wall_s=spread([sample.per_wall_s for sample in samples]),
        cpu_us=_median(samples, lambda sample: sample.cpu_us),
        broker_cpu_us=_median(samples, lambda sample: 1e6 * sample.broker_cpu_s / sample.events),
        rss_mb=rss_mb,
    )


def ratios(
    worker: Sequence[Sample],
    peers: Mapping[str, Sequence[Sample]],
    floors: Mapping[str, Sequence[Spent]],
) -> dict[str, float]:
    """A peer's processor time for an event over the worker's, and the worker's over the floors' together.

    Each round is compared with itself, then the middle one is taken: what slows the machine down for a while
    slows both.
    """
    found = {
        name: round(
            median(theirs.cpu_us / ours.cpu_us for ours, theirs in zip(worker, samples, strict=True)), 2
        )
        for name, samples in peers.items()
    }
    rounds = zip(worker, *floors.values(), strict=True)
    found["floor"] = round(median(ours.cpu_us / sum(map(spent_us, spent)) for ours, *spent in rounds), 2)
    return found


def spent_us(spent: Spent) -> float:
    """Microseconds of processor time an event."""
    return 1e6 * spent.cpu_s / spent.events


def _median(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    return round(median(map(of, samples)), 1)
