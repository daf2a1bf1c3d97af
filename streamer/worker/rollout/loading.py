"""Bundles made ready to score: one beside the other, each with an arena of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from schemas.errors import BundleError, ConfigurationError
from schemas.parts import ModelReference
from schemas.topics import EVENTS, with_prefix
from streamer.core.alerts.policy import DAY_MS
from streamer.core.engine.partition import Rules
from streamer.inference.bundle import Bundle, load_bundle
from streamer.inference.bundle_folder import named_in
from streamer.inference.key_values.arena_size import arena_users
from streamer.inference.risk_model import OnnxRiskModel
from streamer.policy.file import load_policy
from streamer.settings.settings import Settings
from streamer.worker.rollout.compatibility import check_fits, check_successor
from streamer.worker.rollout.plan import BundleReference
from streamer.worker.stage.messages import Messages, policy_hash, risk_terms
from streamer.worker.stage.partition.partition_status import worker_identity
from streamer.worker.stage.partition.scorers import Scorer

TRIAL_USERS: Final = 1024
"""Users in the arena of a model on trial; the others are rebuilt from their tokens at each comparison."""


def build_scorer(settings: Settings, bundle: Bundle, partitions: int, users: int | None = None) -> Scorer:
    """What scores with ``bundle``; the events topic has ``partitions``.

    ``users``: how many the arena holds, by default what ``arena_mb`` does. Raises ``ConfigurationError``
    where the settings do not fit the bundle.
    """
    manifest = bundle.manifest
    check_fits(settings, manifest)
    model = OnnxRiskModel(bundle, users or arena_users(bundle, settings.arena_mb))
    policy = load_policy(settings.policy, manifest, settings.disorder_s)
    messages = Messages(
        topic_prefix=settings.topic_prefix,
        source_topic=with_prefix(settings.topic_prefix, EVENTS),
        model=ModelReference(manifest.name, manifest.version, bundle.sha256),
        risk_terms=risk_terms(manifest),
        policy_sha256=policy_hash(policy),
        silence_grid_ms=model.silence_grid_ms,
        reference_risk=manifest.reference.probability if manifest.reference else None,
        currency=settings.currency,
    )
    identity = worker_identity(
        instance_id=settings.instance_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        mode=settings.mode,
        model=manifest.name,
        model_version=manifest.version,
        model_sha256=bundle.sha256,
        policy_sha256=messages.policy_sha256,
        providers=model.providers,
    )
    longest_gap_ms = None if settings.mode == "live" else round(settings.longest_gap_days * DAY_MS)
    rules = Rules(policy, manifest.churn_definition.types == "any", partitions, longest_gap_ms)
    return Scorer(rules, model, messages, identity)


def load_referenced(settings: Settings, reference: BundleReference) -> Bundle:
    """The bundle that ``reference`` names, if it lies where bundles may.

    Raises as :func:`~streamer.inference.bundle.load_bundle`.
    """
    bundle = load_bundle(reference.path, settings.device, settings.arena_precision, _root(settings))
    if bundle.sha256 != reference.sha256:
        raise BundleError(
            f"{reference.path} holds a bundle with the SHA-256 {bundle.sha256[:12]}, and the decision is "
            f"about {reference.sha256[:12]}: copy that one into the folder on every worker's machine."
        )
    return bundle


def _root(settings: Settings) -> Path:
    """Where bundles may lie that a record names: whoever writes to its topic does not choose the folder."""
    if settings.bundle_root is not None:
        return settings.bundle_root
    if settings.bundle is None:
        raise ConfigurationError(
            "set STREAMER_BUNDLE_ROOT to the folder that holds all bundles: without it and without "
            "STREAMER_BUNDLE no bundle that a decision names is read"
        )
    return named_in(settings.bundle)


class Bundles:
    """Loads bundles, and keeps those that still matter; what it raises says why one is refused."""

    def __init__(self, settings: Settings, serving: Bundle, partitions: int) -> None:
        self._settings = settings
        self._partitions = partitions
        self._serving = serving
        self._before = serving
        self._trial = serving

    def serving(self, reference: BundleReference) -> Scorer:
        """What takes over, with an arena of full size."""
        bundle = self._get(reference)
        scorer = build_scorer(self._settings, bundle, self._partitions)
        # The one before stays loaded, without an arena once its last partition has gone over.
        self._before, self._serving, self._trial = self._serving, bundle, bundle
        return scorer

    def on_trial(self, reference: BundleReference) -> Scorer:
        """What is tried beside the one that serves."""
        bundle = self._get(reference)
        check_successor(bundle.manifest, self._serving.manifest)
        self._trial = bundle
        return build_scorer(self._settings, bundle, self._partitions, TRIAL_USERS)

    def _get(self, reference: BundleReference) -> Bundle:
        for bundle in (self._serving, self._trial, self._before):
            if bundle.sha256 == reference.sha256:
                return bundle
        return load_referenced(self._settings, reference)
