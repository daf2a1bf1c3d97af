"""Follows the operator's decisions in a running worker; what is loaded meanwhile stops no batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from schemas.errors import ChurnStreamerError
from streamer.settings.settings import Settings
from streamer.worker.rollout.loading import Bundles
from streamer.worker.rollout.plan import BundleReference, Rollout
from streamer.worker.rollout.topic import RolloutReader
from streamer.worker.stage.partition.scorers import Models, Trial

log = structlog.get_logger(__name__)

RETRY_S: Final = 5.0


class RolloutWatcher:
    """Changes ``models`` as decisions come. ``rollout``: the one with which the worker has started."""

    def __init__(self, settings: Settings, models: Models, rollout: Rollout, bundles: Bundles) -> None:
        self._settings = settings
        self._models = models
        self._bundles = bundles
        self._revision = -1
        self._unreadable = ""
        models.since = rollout.since
        if rollout.candidate is not None:
            models.trial = Trial(rollout.candidate.sha256)

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Follow until told to stop; while the decisions cannot be read, the last one holds."""
        while not should_stop():
            try:
                async with RolloutReader(self._settings) as reader:
                    while not should_stop():
                        rollout, unreadable = await reader.next()
                        self._warn_of(unreadable)
                        await self.follow(rollout)
            except ChurnStreamerError as error:
                log.warning("decisions about models cannot be read: the last one holds", reason=str(error))
                await asyncio.sleep(RETRY_S)

    def _warn_of(self, unreadable: str) -> None:
        if unreadable != self._unreadable:
            self._unreadable = unreadable
            if unreadable:
                log.warning(
                    "newest decision about models unreadable: the one before holds", reason=unreadable
                )

    async def follow(self, rollout: Rollout) -> None:
        """Load what is decided; what cannot be loaded is refused in the statuses, and the old goes on."""
        if rollout.revision <= self._revision:
            return
        self._revision = rollout.revision
        serving, taken_up = rollout.serving, True
        if serving is not None and rollout.since > self._models.since:
            taken_up = await self._serve(serving, rollout.since)
        if taken_up:
            await self._try(rollout.candidate)

    async def _serve(self, reference: BundleReference, since: int) -> bool:
        if reference.sha256 != self._models.serving.sha256:
            try:
                scorer = await asyncio.to_thread(self._bundles.serving, reference)
            except Exception as error:  # whatever is wrong with it, the one that serves can go on
                self._refuse(reference, error)
                return False
            self._models.serving = scorer
        self._models.since, self._models.trial = since, None
        log.info("model serves", model=str(reference), revision=since)
        return True

    async def _try(self, reference: BundleReference | None) -> None:
        before = self._models.trial
        if reference is None:
            self._models.trial = None
            return
        if before is not None and before.sha256 == reference.sha256 and before.scorer is not None:
            return
        self._models.trial = Trial(reference.sha256)
        try:
            scorer = await asyncio.to_thread(self._bundles.on_trial, reference)
        except Exception as error:  # as above
            self._refuse(reference, error)
            return
        self._models.trial = Trial(reference.sha256, scorer)
        log.info("model on trial", model=str(reference))

    def _refuse(self, reference: BundleReference, error: Exception) -> None:
        self._models.trial = Trial(reference.sha256, refusal=str(error))
        log.error("model refused: the old one goes on", model=str(reference), reason=str(error))
