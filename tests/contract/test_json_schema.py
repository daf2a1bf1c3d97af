"""Every message, read by a validator that knows only the committed JSON Schemas."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.alert import (
    BANDS,
    Alert,
    AlertData,
    DriverCode,
    DriverMessage,
    ExpectedValue,
    NextAction,
    NextBestAction,
    NextCategoryMessage,
    OutlookMessage,
    Risk,
    alert_of,
)
from schemas.bundle.bands import BandAlerts, BandEdges
from schemas.bundle.decline import Calibration
from schemas.bundle.manifest import (
    MANIFEST_NAME,
    AlertHeads,
    ChurnDefinition,
    Manifest,
    Reference,
    TokenEncoding,
    TrainingWindow,
    VariantFigures,
    decode_manifest,
    encode_manifest,
)
from schemas.decision import DecisionMessage
from schemas.erasure import ErasureRequest
from schemas.event import EVENT_TYPES, MAX_NUMBER, Event, Item
from schemas.json_schema import SCHEMA_TYPES, encode_schema, schema_path
from schemas.parts import Evidence, ModelReference
from schemas.score import RiskPoint, Score
from schemas.timestamps import format_timestamp
from schemas.wire.encoding import (
    alert_headers,
    encode_alert,
    encode_decision,
    encode_erasure,
    encode_event,
    encode_score,
)
from schemas.wire.erasure_decoding import decode_erasure
from tests.bundles import DEMO_BUNDLE

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
times = st.integers(631_152_000_000, 4_000_000_000_000).map(format_timestamp)
probabilities = st.floats(0, 1)
counts = st.integers(1, 2**53)
amounts = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.floats(-MAX_NUMBER, MAX_NUMBER)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
models = st.builds(ModelReference, name=texts, version=texts, sha256=hashes)
evidence = st.builds(Evidence, topic=texts, partition=st.integers(0, 2**31 - 1), offset=st.integers(0, 2**53))
durations = st.integers(0, 10**10)
horizons = st.floats(0.01, 1000)
items = st.builds(Item, item_id=st.none() | texts, category=st.none() | texts, price=st.none() | numbers)
events = st.builds(
    Event,
    event_id=texts,
    user_id=texts,
    type=st.sampled_from(EVENT_TYPES),
    timestamp=st.integers(631_152_000_000, 4_000_000_000_000),
    items=st.lists(items, max_size=2).map(tuple),
    value=st.none() | numbers,
    duration_ms=st.none() | st.floats(0, MAX_NUMBER),
    session_id=st.none() | texts,
)
alert_data = st.builds(
    AlertData,
    alert_id=texts,
    revision=counts,
    user_id=texts,
    status=st.sampled_from(["open", "resolved"]),
    band=st.sampled_from(BANDS),
    risk=st.builds(
        Risk,
        probability=probabilities,
        horizon_days=horizons,
        definition=texts,
        reference=st.none() | probabilities,
    ),
    last_event_at=times,
    silent_for_s=durations,
    reason=st.sampled_from(
        ["crossed", "silence", "purchase", "recovered", "expired", "erased", "late_event"]
    ),
    drivers=st.lists(
        st.builds(
            DriverMessage,
            code=st.sampled_from(get_args(DriverCode)),
            value=st.none() | amounts,
            usual=st.none() | amounts,
            importance=amounts,
        ),
        max_size=5,
    ).map(tuple),
    expected_next_purchase_at=st.none() | times,
    outlook=st.none()
    | st.builds(
        OutlookMessage,
        next_action=st.none()
        | st.builds(NextAction, type=st.sampled_from(EVENT_TYPES), probability=probabilities),
        next_category=st.none() | st.builds(NextCategoryMessage, category=texts, probability=probabilities),
    ),
    expected_value=st.none() | st.builds(ExpectedValue, amount=amounts, currency=st.none() | texts),
    next_best_action=st.none() | st.builds(NextBestAction, action=texts),
    model=models,
    evidence=evidence,
)
transitions = st.sampled_from(["raised", "escalated", "deescalated", "resolved"])
alerts = st.builds(alert_of, alert_data, transitions, times)
scores = st.builds(
    Score,
    user_id=texts,
    scored_at=times,
    last_event_at=times,
    risk=probabilities,
    horizon_days=horizons,
    band=st.none() | st.sampled_from(BANDS),
    alert_id=st.none() | texts,
    risk_curve=st.lists(
        st.builds(RiskPoint, silent_for_s=durations, probability=probabilities), max_size=4
    ).map(tuple),
    model=models,
    evidence=evidence,
)
decisions = st.builds(
    DecisionMessage,
    user_id=texts,
    decided_at=times,
    action=st.sampled_from(["sent", "suppressed", "held_out", "overtaken", "backfill"]),
    reason=texts,
    would=transitions,
    risk=st.none() | probabilities,
    alert_id=st.none() | texts,
    revision=st.none() | counts,
    policy=hashes,
)
erasures = st.builds(ErasureRequest, user_id=texts, requested_at=times, request_id=texts)
variants = st.sampled_from(["aggregates", "sequence", "both"])
manifests = st.builds(
    Manifest,
    name=texts,
    version=texts,
    created_at=st.none() | times,
    training_window=st.builds(TrainingWindow, from_=times, to=times),
    data_fingerprint=texts,
    token_encoding=st.builds(TokenEncoding, types=counts, category_buckets=counts, item_buckets=counts),
    silence_grid_s=st.sets(st.integers(1, 315_360_000), min_size=1, max_size=4).map(sorted).map(tuple),
    horizon_days=horizons,
    churn_definition=st.builds(
        ChurnDefinition, types=st.sampled_from(["purchase", "any"]), active_days=horizons
    ),
    time_zone=texts,
    band_edges=st.sets(st.floats(0, 1, exclude_min=True, exclude_max=True), min_size=3, max_size=3).map(
        lambda edges: BandEdges(*sorted(edges))
    ),
    band_alerts_a_week=st.none() | st.builds(BandAlerts, watch=counts, high=counts, critical=counts),
    window=counts,
    layers=counts,
    width=counts,
    heads=counts,
    exact_tokens=counts,
    features=st.lists(texts, max_size=3).map(tuple),
    calibration=st.builds(
        Calibration, method=st.sampled_from(["none", "platt"]), parameters=st.just((1.0, 0.5))
    ),
    reference=st.none()
    | st.builds(
        Reference,
        probability=probabilities,
        silence_ms=durations,
        aggregates=st.dictionaries(texts, st.none() | amounts, max_size=3),
        hidden=st.lists(amounts, max_size=3).map(tuple),
    ),
    alert=st.none()
    | st.builds(
        AlertHeads,
        spend=st.booleans(),
        types=st.lists(st.sampled_from(EVENT_TYPES), max_size=3).map(tuple),
        categories=st.lists(st.none() | texts, max_size=3).map(tuple),
    ),
    metrics=st.dictionaries(texts, amounts, max_size=3),
    variant=st.none() | variants,
    ablation=st.lists(
        st.builds(
            VariantFigures,
            variant=variants,
            seeds=counts,
            **dict.fromkeys(
                ("auroc", "pr_auc", "log_loss", "brier", "ece", "behind", "behind_error"), amounts
            ),
            spread=st.dictionaries(texts, amounts, max_size=2),
        ),
        max_size=3,
    ).map(tuple),
    interrupted=st.booleans(),
    sha256=st.dictionaries(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,9}\Z"), hashes, max_size=3),
    opset=counts,
    libraries=st.dictionaries(texts, texts, max_size=2),
)


def validator(name: str) -> Draft202012Validator:
    schema = json.loads(schema_path(name).read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


VALIDATORS = {name: validator(name) for name in SCHEMA_TYPES}


def read(name: str, value: bytes) -> Any:
    """The message as a reader without this program's code sees it, checked against its schema."""
    message = json.loads(value)
    VALIDATORS[name].validate(message)
    return message


@pytest.mark.parametrize("name", SCHEMA_TYPES)
def test_committed_schema_agrees_with_its_struct(name: str) -> None:
    assert schema_path(name).read_bytes() == encode_schema(name), "run: python -m schemas"


@settings(deadline=None)
@given(events)
def test_events(event: Event) -> None:
    assert read("event", encode_event(event))["event_id"] == event.event_id


@settings(deadline=None)
@given(alerts)
def test_alerts(alert: Alert) -> None:
    value = encode_alert(alert)
    message = read("alert", value)
    assert message["specversion"] == "1.0"
    assert message["id"] == f"{alert.data.alert_id}.{alert.data.revision}"
    assert message["subject"] == message["data"]["user_id"]
    assert message["data"].keys() == {
        "alert_id", "revision", "user_id", "status", "band", "risk", "last_event_at", "silent_for_s",
        "reason", "usual", "overdue", "expected_loss", "absence", "drivers", "expected_next_purchase_at",
        "expected_value", "outlook", "next_best_action", "model", "evidence",
    }  # fmt: skip
    assert msgspec.json.decode(value, type=Alert) == alert
    content_type = dict(alert_headers(alert))["content-type"] or b""
    assert content_type.startswith(b"application/cloudevents+json")


@settings(deadline=None)
@given(scores)
def test_scores(score: Score) -> None:
    value = encode_score(score)
    assert read("score", value).keys() == {
        "user_id", "scored_at", "last_event_at", "risk", "horizon_days", "band", "alert_id", "usual",
        "overdue", "expected_loss", "absence", "risk_curve", "model", "evidence",
    }  # fmt: skip
    assert msgspec.json.decode(value, type=Score) == score


@settings(deadline=None)
@given(decisions)
def test_decisions(decision: DecisionMessage) -> None:
    value = encode_decision(decision)
    assert read("decision", value).keys() == {
        "user_id", "decided_at", "action", "reason", "would", "risk", "alert_id", "revision", "policy",
    }  # fmt: skip
    assert msgspec.json.decode(value, type=DecisionMessage) == decision


@settings(deadline=None)
@given(erasures)
def test_erasures(request: ErasureRequest) -> None:
    value = encode_erasure(request)
    read("erasure", value)
    assert decode_erasure(value, 4_000_000_000_000) == request


@settings(deadline=None)
@given(manifests)
def test_manifests(manifest: Manifest) -> None:
    value = encode_manifest(manifest)
    read("bundle-manifest", value)
    assert decode_manifest(value, "manifest.json") == manifest


def test_a_manifest_from_before_variants_were_compared_still_loads() -> None:
    manifest = decode_manifest((DEMO_BUNDLE / MANIFEST_NAME).read_bytes(), MANIFEST_NAME)
    older = json.loads(encode_manifest(manifest))
    for name in ("variant", "ablation", "interrupted"):
        del older[name]
    loaded = decode_manifest(json.dumps(older).encode(), MANIFEST_NAME)
    assert (loaded.variant, loaded.ablation, loaded.interrupted) == (None, (), False)


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("alert", ["time"], "2017-03-02 at six"),
        ("alert", ["specversion"], "0.3"),
        ("alert", ["data", "band"], "severe"),
        ("alert", ["data", "risk", "probability"], 1.5),
        ("score", ["scored_at"], "yesterday"),
        ("score", ["model", "sha256"], "0"),
    ],
)
def test_the_validator_refuses_what_is_wrong(name: str, path: list[str], wrong: object) -> None:
    reference = ModelReference("m", "1", "0" * 64)
    seen = Evidence("t", 0, 1)
    moment = format_timestamp(1_488_477_851_250)
    alert = alert_of(
        AlertData(
            alert_id="a", revision=1, user_id="u", status="open", band="watch", risk=Risk(0.5, 28, "d"),
            last_event_at=moment, silent_for_s=0, reason="silence", model=reference, evidence=seen,
        ),
        "raised",
        moment,
    )  # fmt: skip
    score = Score(
        user_id="u", scored_at=moment, last_event_at=moment, risk=0.5, horizon_days=28,
        model=reference, evidence=seen,
    )  # fmt: skip
    message = json.loads(encode_alert(alert) if name == "alert" else encode_score(score))
    assert VALIDATORS[name].is_valid(message)
    part = message
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = wrong
    assert not VALIDATORS[name].is_valid(message)
