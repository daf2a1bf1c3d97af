"""What an operator does with models: decide, and wait until the workers have followed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from schemas.bundle.manifest import MANIFEST_NAME, Manifest, decode_manifest
from schemas.errors import BundleError, ConfigurationError
from streamer.inference.bundle import load_bundle
from streamer.inference.bundle_folder import read_file
from streamer.operations.deployment import Deployment, observe
from streamer.operations.models.progress import GroupWatch, PartitionProgress, of_service, of_trial
from streamer.operations.models.wording import refusals
from streamer.settings.settings import Settings
from streamer.worker.rollout.compatibility import check_fits, check_successor
from streamer.worker.rollout.loading import load_referenced
from streamer.worker.rollout.plan import (
    BundleReference,
    Rollout,
    dropped,
    loaded,
    promoted,
    reset,
    rolled_back,
)
from streamer.worker.rollout.topic import newest_rollout, publish_rollout

DEADLINE_S: Final = 120.0
LOOK_EVERY_S: Final = 0.5


async def load(settings: Settings, directory: Path) -> Deployment:
    """Put the bundle in ``directory`` on trial beside the one that serves, on every worker.

    Raises ``BundleError`` or ``ConfigurationError`` where it is refused here or by a worker; it is then off
    trial again only once it is dropped.
    """
    settings = _here(settings)
    before = await newest_rollout(settings)
    bundle = load_bundle(directory, settings.device, settings.arena_precision, settings.bundle_root)
    check_fits(settings, bundle.manifest)
    serving = before.serving or _in_settings(settings)
    check_successor(bundle.manifest, _manifest(serving.path))
    candidate = _reference(directory, bundle.manifest, bundle.sha256)
    after, way_out = loaded(before, candidate, serving), "`streamer model drop` ends the trial"
    return await _decide(settings, after, lambda seen: of_trial(seen, candidate), candidate, way_out)


async def promote(settings: Settings) -> Deployment:
    """Let the bundle on trial serve. Raises ``BundleError`` unless every worker scores with it already."""
    before = await newest_rollout(settings)
    after = promoted(before)
    assert before.candidate is not None
    standing = of_trial(await observe(settings, _now_ms()), before.candidate)
    refused = [*refusals(before.candidate, standing, "`streamer model drop` ends the trial")]
    if refused or standing.waiting or not standing.done:
        raise BundleError(
            f"{before.candidate} is not promoted: it has to be on trial in every partition, and it is not in "
            f"{_numbers(standing.waiting) or 'any'}. {' '.join([*refused, '`streamer status`'])} shows how "
            "far the workers are."
        )
    return await _serve(settings, after)


async def roll_back(settings: Settings) -> Deployment:
    """Let what served before serve again. Raises ``BundleError`` where nothing has, or it is not there."""
    after = rolled_back(await newest_rollout(settings))
    assert after.serving is not None
    load_referenced(_here(settings), after.serving)
    return await _serve(settings, after)


async def drop(settings: Settings) -> None:
    """End the trial."""
    await publish_rollout(settings, dropped(await newest_rollout(settings)))


async def forget(settings: Settings) -> None:
    """Let each worker serve the bundle in its settings, from its next start on.

    The way out of whatever lies in the topic, so nothing of it is read.
    """
    await publish_rollout(settings, reset(_now_ms()))


async def _serve(settings: Settings, rollout: Rollout) -> Deployment:
    assert rollout.serving is not None
    way_out = "restart the worker once that is mended"
    return await _decide(settings, rollout, lambda seen: of_service(seen, rollout), rollout.serving, way_out)


async def _decide(
    settings: Settings,
    rollout: Rollout,
    standing_of: Callable[[Deployment], PartitionProgress],
    reference: BundleReference,
    way_out: str,
) -> Deployment:
    """The deployment once every worker has followed; those that start later follow at their start."""
    group = GroupWatch()
    group.is_settled(await observe(settings, _now_ms()))
    await publish_rollout(settings, rollout)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        deployment = await observe(settings, _now_ms())
        standing = standing_of(deployment)
        if standing.refused:
            raise BundleError(" ".join(refusals(reference, standing, way_out)))
        if group.is_settled(deployment) and not standing.waiting:
            return deployment
        if time.monotonic() > deadline:
            raise BundleError(
                f"the decision holds, but after {DEADLINE_S:g} s {_numbers(standing.waiting) or 'workers'} "
                "have not followed: see `streamer status` and the workers' logs."
            )
        await asyncio.sleep(LOOK_EVERY_S)


def _here(settings: Settings) -> Settings:
    """For the operator's machine, which may lack the workers' GPUs; they check on theirs."""
    return msgspec.structs.replace(settings, device="cpu")


def _in_settings(settings: Settings) -> BundleReference:
    if settings.bundle is None:
        raise ConfigurationError(
            "STREAMER_BUNDLE is not set: set it to the bundle that the workers serve now, so that there is "
            "something to compare with and to go back to"
        )
    bundle = load_bundle(settings.bundle, settings.device, settings.arena_precision, settings.bundle_root)
    return _reference(settings.bundle, bundle.manifest, bundle.sha256)


def _reference(directory: Path, manifest: Manifest, sha256: str) -> BundleReference:
    return BundleReference(str(directory.resolve()), manifest.name, manifest.version, sha256)


def _manifest(directory: Path) -> Manifest:
    return decode_manifest(read_file(directory, MANIFEST_NAME), str(directory / MANIFEST_NAME))


def _numbers(partitions: list[int]) -> str:
    return f"partitions {', '.join(map(str, partitions))}" if partitions else ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
