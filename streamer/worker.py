"""A worker put together: settings, topics, bundle, stage, Faust application."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from pathlib import Path

import structlog

from schemas.errors import ConfigurationError
from schemas.parts import ModelReference
from schemas.topics import EVENTS, REPARTITION, with_prefix
from streamer.continuity import check_continuity
from streamer.core.partition import Rules
from streamer.kafka.application import build_application, run
from streamer.kafka.connection import connection_of
from streamer.kafka.options import WorkerOptions
from streamer.kafka.topics import check_topics
from streamer.onnx.arena_size import arena_users
from streamer.onnx.bundle import Bundle, load_bundle
from streamer.onnx.risk_model import OnnxRiskModel
from streamer.outputs import Messages, churn_in_words, policy_hash
from streamer.partition_record import SourceTopics
from streamer.policy_file import load_policy
from streamer.repartition import Repartition
from streamer.scoring_stage import ScoringStage
from streamer.settings import Settings
from streamer.status.partition_status import WorkerIdentity, worker_identity
from streamer.time_zone import check_time_zone

log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop; returns the exit code.

    Raises ``ConfigurationError``, ``BrokerError``, ``TopicError`` or ``BundleError`` before anything is
    consumed when the worker could not do its work.
    """
    bundle = load_bundle(
        _bundle_path(settings), settings.device, settings.arena_precision, settings.bundle_root
    )
    partitions = asyncio.run(check_topics(settings))
    topics = asyncio.run(check_continuity(settings, partitions))
    stage = build_stage(settings, bundle, partitions, topics)
    app = build_application(worker_options(settings), stage)
    log.info(
        "worker starts",
        bootstrap=settings.bootstrap,
        partitions=partitions,
        mode=settings.mode,
        model=bundle.manifest.name,
        model_version=bundle.manifest.version,
        time_zone=bundle.manifest.time_zone,
        device=bundle.transformer.device,
    )
    # What is loaded by now stays; batches leave no cycles behind, so looking for them may be rare.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    code = run(app)
    log.info("worker ends", exit_code=code)
    return code


def build_stage(
    settings: Settings, bundle: Bundle, partitions: int, topics: SourceTopics | None = None
) -> ScoringStage:
    """The scoring stage for ``bundle`` under ``settings``; the events topic has ``partitions``.

    ``topics``: those that states are made of and lie in, ``None`` where they lie in no topic.
    """
    manifest = bundle.manifest
    check_time_zone(settings.time_zone, manifest.time_zone)
    model = OnnxRiskModel(bundle, arena_users(bundle, settings.arena_mb))
    policy = load_policy(settings.policy, manifest, settings.disorder_s)
    messages = Messages(
        topic_prefix=settings.topic_prefix,
        source_topic=with_prefix(settings.topic_prefix, EVENTS),
        model=ModelReference(manifest.name, manifest.version, bundle.sha256),
        horizon_days=manifest.horizon_days,
        definition=churn_in_words(manifest.churn_definition, manifest.horizon_days),
        policy_sha256=policy_hash(policy),
        silence_grid_ms=model.silence_grid_ms,
        reference_risk=manifest.reference.probability if manifest.reference else None,
        currency=settings.currency,
    )
    rules = Rules(policy, manifest.churn_definition.types == "any", partitions)
    return ScoringStage(
        rules,
        model,
        messages,
        settings.cache_users,
        worker=_identity(settings, messages, model),
        live=settings.mode == "live",
        event_format=settings.event_format,
        currency=settings.currency,
        repartition=_repartition(settings, partitions),
        topics=topics,
    )


def worker_options(settings: Settings) -> WorkerOptions:
    """What the Kafka shell needs to know."""
    return WorkerOptions(
        connection=connection_of(settings),
        application_id=settings.application_id,
        event_topic=with_prefix(settings.topic_prefix, EVENTS),
        data_dir=settings.data_dir,
        instance_id=settings.instance_id,
        max_batch=settings.max_batch,
        tick_s=settings.tick_s,
        standbys=settings.standbys,
        live=settings.mode == "live",
        repartition_topic=_repartition_topic(settings) if settings.repartition else None,
    )


def _identity(settings: Settings, messages: Messages, model: OnnxRiskModel) -> WorkerIdentity:
    return worker_identity(
        instance_id=settings.instance_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        mode=settings.mode,
        model=messages.model.name,
        model_version=messages.model.version,
        model_sha256=messages.model.sha256,
        policy_sha256=messages.policy_sha256,
        providers=model.providers,
    )


def _repartition_topic(settings: Settings) -> str:
    return with_prefix(settings.topic_prefix, REPARTITION.name)


def _repartition(settings: Settings, partitions: int) -> Repartition | None:
    if not settings.repartition:
        return None
    if settings.mode != "live":
        raise ConfigurationError(
            "repartition needs mode live: with event time alone nothing makes a partition wait for what is "
            "on its way from another one. Turn it off; `streamer replay` keys a history by user_id"
        )
    return Repartition(_repartition_topic(settings), partitions)


def _bundle_path(settings: Settings) -> Path:
    if settings.bundle is None:
        raise ConfigurationError(
            "STREAMER_BUNDLE is not set: name the folder of a model bundle, one that `streamer train` made"
        )
    return settings.bundle
