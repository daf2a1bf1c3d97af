"""The arithmetic of a benchmark: rounds, medians, ratios, and what is shown of them."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest

from streamer.bench.contest.latency import Latency, Pending, percentiles
from streamer.bench.contest.sample import Sample
from streamer.bench.floors.spec import Spent
from streamer.bench.report.figures import Spread, rates, ratios, spread
from streamer.bench.report.plot import plot
from streamer.bench.report.report import Batches, BenchReport, Machine, Start, WorkloadReport
from streamer.bench.report.table import table


def sample(events: int, cpu_s: float) -> Sample:
    return Sample(events, cpu_s, broker_cpu_s=cpu_s / 2, counted=events // 2, wall_s=cpu_s)


def workload() -> WorkloadReport:
    ours, theirs = [sample(100, 0.01)], [sample(10, 0.01)]
    floors = {"consume": [Spent(100, 0.001)], "step": [Spent(100, 0.002)], "transaction": [Spent(100, 0.001)]}
    return WorkloadReport(
        users=1_000,
        arena_users=100,
        scored_per_cpu_s=10_000.0,
        scored_per_wall_s=5_000.0,
        ratio_to=ratios(ours, {"faust": theirs}, floors),
        latency_ms=Latency(12.0, 80.0, 2_500, 2_500.0),
        rss_mb=250.0,
        worker=rates(ours, 1_000, 250.0),
        peers={"faust": rates(theirs, 50, None)},
        floors_us={name: spread([10.0]) for name in floors},
        transaction=Batches(2_000.0, 800.0),
        start=Start(2.0, 1.5, 500.0, 2_100.0),
        alerts=3,
    )


def report() -> BenchReport:
    return BenchReport(
        quick=True,
        rounds=1,
        seconds=60.0,
        machine=Machine("a processor", 2, 8.0, "Linux", 0.1),
        versions={"python": "3.11"},
        hot=workload(),
    )


def test_a_sample_counts_processor_time_for_all_and_wall_time_from_the_first_effect() -> None:
    found = Sample(events=1_000, cpu_s=0.5, broker_cpu_s=0.1, counted=900, wall_s=0.3)
    assert (found.per_cpu_s, found.per_wall_s, found.cpu_us) == (2_000.0, 3_000.0, 500.0)


def test_rates_are_medians_of_the_rounds_with_their_ends() -> None:
    found = rates([sample(100, 0.01), sample(100, 0.02), sample(100, 0.05)], 7, None)
    assert found.per_cpu_s == Spread(5_000.0, 2_000.0, 10_000.0)
    assert (found.cpu_us, found.broker_cpu_us, found.events_a_round) == (200.0, 100.0, 100)


def test_ratios_compare_each_round_with_itself() -> None:
    """The second round ran on a machine half as fast, which the medians apart would not show."""
    ours = [sample(100, 0.01), sample(100, 0.02), sample(100, 0.01)]
    theirs = [sample(10, 0.004), sample(10, 0.008), sample(10, 0.004)]
    floors = {
        "consume": [Spent(100, 0.001), Spent(100, 0.002), Spent(100, 0.001)],
        "step": [Spent(50, 0.002), Spent(50, 0.004), Spent(50, 0.002)],
    }
    assert ratios(ours, {"quix": theirs}, floors) == {"quix": 4.0, "floor": 2.0}


def test_a_score_answers_all_events_of_its_user_that_it_knows_and_no_later_one() -> None:
    pending = Pending()
    for user, time_ms, at in (("a", 10, 1.0), ("a", 20, 1.1), ("a", 30, 1.2), ("b", 15, 1.0)):
        pending.sent(user, time_ms, at)
    pending.scored("a", 20, 1.3)
    assert pending.waits_ms == pytest.approx([300.0, 200.0])
    pending.scored("stranger", 20, 1.3)
    pending.scored("b", 15, 1.1)
    pending.scored("a", 30, 1.3)
    assert pending.waits_ms == pytest.approx([300.0, 200.0, 100.0, 100.0])


def test_percentiles_of_waits() -> None:
    found = percentiles([float(wait) for wait in range(1, 101)], 50.0)
    assert (found.p50, found.p99, found.events) == (50.5, 99.0, 100)


def test_the_report_has_an_object_for_each_workload_that_ran() -> None:
    found = msgspec.json.decode(msgspec.json.encode(report()))
    assert "session" not in found
    assert "cold" not in found
    hot = found["hot"]
    assert hot["ratio_to"] == {"faust": 10.0, "floor": 2.5}
    assert {"scored_per_cpu_s", "scored_per_wall_s", "latency_ms", "rss_mb"} <= set(hot)
    assert {"p50", "p99"} <= set(hot["latency_ms"])


def test_the_table_says_what_the_report_holds() -> None:
    text = table(report())
    assert "hot: 1,000 users, arena for 100" in text
    assert "plain Faust agent" in text
    assert "p50 12 ms, p99 80 ms" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_plot_is_an_image_with_a_bar_for_each_contestant() -> None:
    root = ElementTree.fromstring(plot(report()))
    bars = [element for element in root.iter() if element.get("class") in ("worker", "peer")]
    assert [bar.get("class") for bar in bars] == ["worker", "peer"]
    ours, theirs = (float(bar.get("width", "0")) for bar in bars)
    assert ours == pytest.approx(10 * theirs, rel=0.01)
