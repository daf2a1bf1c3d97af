"""The trial in live mode: wall time decides, and silence becomes alarming while faults strike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from schemas.topics import ALERTS
from streamer.inference.bundle import load_bundle
from streamer.policy.file import load_policy
from streamer.settings.loading import load_settings
from tests.bundles import DEMO_BUNDLE
from tests.faults.findings import Finding
from tests.faults.live_checker import check_live, claims_of
from tests.faults.live_reference import expect_live_partition
from tests.faults.live_shoppers import LiveShoppers
from tests.faults.reference import by_partition
from tests.faults.shoppers import Sent
from tests.faults.trial import Ended

# Whether an alert is open follows from the risk of the moment alone: nothing of what was decided before
# counts, so that a worker that was held up and one that was not agree in the end.
POLICY = "cooldown_days = 0\nweekly_cap = 1000\nleave_dwell_hours = 0\nhysteresis = 0\n"


class LiveTrial:
    """``seconds``: how long faults are going to strike; the quiet ones' silence is spread over that time."""

    per_s = 40.0
    settle_s = 4.0

    def __init__(self, seed: int, directory: Path, seconds: float) -> None:
        policy = directory / "policy.toml"
        policy.write_text(POLICY)
        self.settings: Mapping[str, str] = {
            "mode": "live",
            "disorder_s": "0",
            "tick_s": "0.2",
            "policy": str(policy),
        }
        environment = {f"STREAMER_{name.upper()}": value for name, value in self.settings.items()}
        environment["STREAMER_BUNDLE"] = str(DEMO_BUNDLE)
        self.crowd = LiveShoppers(seed, environment, (10.0, 15.0 + seconds))

    def backlog(self) -> Sequence[Sent]:
        """The history up to now."""
        return self.crowd.history()

    def records(self) -> Iterator[Sent]:
        """What happens while faults strike."""
        return self.crowd.records()

    def judge(self, ended: Ended) -> Iterator[Finding]:
        """What can be proven without knowing when the workers decided what."""
        claims = {p: claims_of(observed.kept[ALERTS]) for p, observed in ended.observed.items()}
        expected = by_partition(
            expect_live_partition,
            ended.environment,
            ended.events,
            {partition: (claims[partition], ended.stopped_ms) for partition in ended.events},
        )
        settings = load_settings(environment=ended.environment)
        manifest = load_bundle(DEMO_BUNDLE, "cpu", "fp32").manifest
        edges = load_policy(settings.policy, manifest, settings.disorder_s).edges
        for partition, each in sorted(expected.items()):
            yield from check_live(
                partition, ended.observed[partition], each, ended.field.progress.samples, edges
            )
