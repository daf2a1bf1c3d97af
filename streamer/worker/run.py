"""A worker put together: settings, topics, bundle, stage, Faust application."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import structlog

from schemas.errors import ConfigurationError
from schemas.topics import ERASURES, EVENTS, REPARTITION, with_prefix
from streamer.inference.bundle import Bundle, load_bundle
from streamer.kafka.connection import connection_of
from streamer.kafka.topics import check_topics
from streamer.settings.settings import Settings
from streamer.worker.http.health import health_application
from streamer.worker.http.server import HttpServer, listen
from streamer.worker.rollout.loading import Bundles, build_scorer, load_referenced
from streamer.worker.rollout.plan import Rollout
from streamer.worker.rollout.topic import decided
from streamer.worker.rollout.watcher import RolloutWatcher
from streamer.worker.runtime.application import build_application, run
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.stores.data_folder import own_data_folder
from streamer.worker.stage.erasure_keys import mark_keys
from streamer.worker.stage.partition.partition_record import SourceTopics
from streamer.worker.stage.repartition import Repartition
from streamer.worker.stage.scoring_stage import ScoringStage
from streamer.worker.start_checks import check_continuity

log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop; returns the exit code.

    Raises ``ConfigurationError``, ``BrokerError``, ``TopicError`` or ``BundleError`` before anything is
    consumed when the worker could not do its work.
    """
    with own_data_folder(settings.data_dir):
        return _run_alone(settings)


def _run_alone(settings: Settings) -> int:
    partitions = asyncio.run(check_topics(settings))
    topics = asyncio.run(check_continuity(settings, partitions))
    rollout, unreadable = asyncio.run(decided(settings))
    if unreadable:
        stands = str(rollout.serving or "the bundle in the settings")
        log.error("newest decision about models unreadable", serves=stands, reason=unreadable)
    bundle = _bundle_to_serve(settings, rollout)
    stage = build_stage(settings, bundle, partitions, topics)
    watcher = RolloutWatcher(settings, stage.models, rollout, Bundles(settings, bundle, partitions))
    app = build_application(worker_options(settings, topics.changelog), stage, watcher.run)
    if settings.http_port is not None:
        listening = listen(settings.http_host, settings.http_port)
        app.server = HttpServer(listening, health_application(app.partitions))
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
    scorer = build_scorer(settings, bundle, partitions)
    return ScoringStage(
        scorer.rules,
        scorer.model,
        scorer.messages,
        settings.cache_users,
        worker=scorer.worker,
        live=settings.mode == "live",
        mark_keys=mark_keys(settings),
        event_format=settings.event_format,
        currency=settings.currency,
        repartition=_repartition(settings, partitions),
        topics=topics,
        dead_letter_max_bytes=settings.dead_letter_max_bytes,
    )


def worker_options(settings: Settings, changelog_id: str = "") -> WorkerOptions:
    """What the Kafka shell needs to know."""
    return WorkerOptions(
        connection=connection_of(settings),
        application_id=settings.group_id,
        event_topic=with_prefix(settings.topic_prefix, EVENTS),
        data_dir=settings.data_dir,
        changelog_id=changelog_id,
        instance_id=settings.instance_id,
        max_batch=settings.max_batch,
        tick_s=settings.tick_s,
        transaction_timeout_s=settings.transaction_timeout_s,
        standbys=settings.standbys,
        stuck_after_s=settings.stuck_after_s,
        live=settings.mode == "live",
        repartition_topic=_repartition_topic(settings) if settings.repartition else None,
        erasure_topic=with_prefix(settings.topic_prefix, ERASURES),
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


def _bundle_to_serve(settings: Settings, rollout: Rollout) -> Bundle:
    """The one that was decided on, or else the one in the settings."""
    if rollout.serving is not None:
        return load_referenced(settings, rollout.serving)
    return load_bundle(
        _bundle_path(settings), settings.device, settings.arena_precision, settings.bundle_root
    )


def _bundle_path(settings: Settings) -> Path:
    if settings.bundle is None:
        raise ConfigurationError(
            "STREAMER_BUNDLE is not set: name the folder of a model bundle, one that `streamer train` made"
        )
    return settings.bundle
