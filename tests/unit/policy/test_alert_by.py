"""What alerts go by, as a policy file says it for a bundle: money, or a probability."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.bundle.bands import BandAmounts
from schemas.bundle.decline import Calibration, DeclineOutputs, ExpectedLoss, UsualInShop
from schemas.bundle.manifest import Manifest, decode_manifest, encode_manifest
from schemas.errors import BundleError, ConfigurationError
from schemas.units import DAY_MS
from streamer.core.alerts.policy import Policy
from streamer.policy.file import load_policy
from tests.demo_messages import manifest

ABSENCE = msgspec.structs.replace(
    manifest(), definition="absence", window_days=None, decline=None, expected_loss=None
)
DECLINE = msgspec.structs.replace(
    ABSENCE,
    definition="decline",
    window_days=56.0,
    decline=DeclineOutputs(
        window_days=56.0,
        usual=UsualInShop(0.1, 0.0, 3.0, 4.0),
        calibration=Calibration("platt", (1.0, 0.0)),
        spend_scale=1.0,
    ),
    expected_loss=ExpectedLoss(method="decline", scale=0.6, edges=BandAmounts(30.0, 60.0, 120.0)),
)
WITHOUT_AMOUNTS = msgspec.structs.replace(DECLINE, expected_loss=None)


def policy_of(tmp_path: Path, text: str, served: Manifest) -> Policy:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return load_policy(file, served, 60)


def test_by_default_alerts_go_by_money_where_it_is_known() -> None:
    policy = load_policy(None, DECLINE, 60)
    assert (policy.alert_by, policy.edges, policy.hysteresis) == ("loss", (30.0, 60.0, 120.0), 0.1)
    assert (policy.least_overdue, policy.horizon_ms) == (1.0, 56 * DAY_MS)


def test_without_amounts_alerts_go_by_the_probability_of_a_decline() -> None:
    policy = load_policy(None, WITHOUT_AMOUNTS, 60)
    edges = msgspec.structs.astuple(WITHOUT_AMOUNTS.band_edges)
    assert (policy.alert_by, policy.edges, policy.least_overdue) == ("probability", edges, 1.0)


def test_bundles_of_absence_alert_as_before() -> None:
    policy = load_policy(None, ABSENCE, 60)
    assert (policy.alert_by, policy.least_overdue) == ("probability", 0.0)
    assert policy.horizon_ms == round(ABSENCE.horizon_days * DAY_MS)
    assert policy.edges == msgspec.structs.astuple(ABSENCE.band_edges)


def test_what_the_file_says_counts(tmp_path: Path) -> None:
    text = (
        "watch = 25\nhigh = 75\nleast_overdue = 1.5\nleast_loss = 40\nhysteresis = 0.2\nhorizon_days = 56\n"
    )
    policy = policy_of(tmp_path, text, DECLINE)
    assert (policy.edges, policy.least_overdue, policy.least_loss) == ((25.0, 75.0, 120.0), 1.5, 40.0)
    assert policy.least_signal == 40.0
    by_probability = policy_of(tmp_path, 'alert_by = "probability"\nwatch = 0.2\n', DECLINE)
    assert by_probability.edges[0] == 0.2


@pytest.mark.parametrize(
    ("text", "served", "words"),
    [
        ('alert_by = "loss"', ABSENCE, "alert_by.*--definition decline"),
        ('alert_by = "loss"', WITHOUT_AMOUNTS, "alert_by.*events with amounts"),
        ("watch = 0.4", DECLINE, "watch.*0.4.*alerts go by loss.*an amount"),
        ("watch = 40", ABSENCE, "watch.*40.*alerts go by probability.*between 0 and 1"),
        ('alert_by = "probability"\nhigh = 60', DECLINE, "high.*60.*probability"),
        ("least_overdue = 1", ABSENCE, "least_overdue.*does not know what is usual"),
        ("least_loss = 10", ABSENCE, "least_loss.*alert_by"),
        ("least_loss = -1", DECLINE, "least_loss"),
        ("watch = 100\nhigh = 90", DECLINE, "edges.*must ascend above 0"),
        ("hysteresis = 1.0", DECLINE, "hysteresis"),
        ("horizon_days = 28", DECLINE, "horizon_days.*28.*trained for 56"),
        ('alert_by = "money"', DECLINE, "alert_by"),
    ],
)
def test_what_does_not_fit_the_bundle_is_refused(
    tmp_path: Path, text: str, served: Manifest, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s){words}"):
        policy_of(tmp_path, text, served)


def test_a_manifest_that_names_decline_and_does_not_describe_it_is_refused() -> None:
    for wrong in (
        msgspec.structs.replace(DECLINE, decline=None),
        msgspec.structs.replace(DECLINE, window_days=28.0),
        msgspec.structs.replace(ABSENCE, expected_loss=DECLINE.expected_loss),
    ):
        with pytest.raises(BundleError, match="decline"):
            decode_manifest(encode_manifest(wrong), "manifest.json")
    assert decode_manifest(encode_manifest(DECLINE), "manifest.json") == DECLINE


def test_amounts_that_do_not_ascend_are_refused() -> None:
    assert DECLINE.expected_loss is not None
    fallen = msgspec.structs.replace(DECLINE.expected_loss, edges=BandAmounts(60.0, 30.0, 120.0))
    with pytest.raises(BundleError, match=r"expected_loss\.edges"):
        decode_manifest(
            encode_manifest(msgspec.structs.replace(DECLINE, expected_loss=fallen)), "manifest.json"
        )
