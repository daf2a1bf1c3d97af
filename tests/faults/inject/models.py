"""The model exchanged under load, while workers are killed in the middle of it."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from streamer.inference.bundle import load_bundle
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, decode_record
from tests.bundles import successor
from tests.faults.inject.field import Aftermath, Fault, Field
from tests.faults.reading import read_topic
from tests.faults.reference import Exchange
from tests.faults.schedule import Kind, Strike

TAKEN_UP_WITHIN_S = 90.0


async def exchange_model(field: Field, strike: Strike) -> Aftermath:
    """Another bundle is put on trial and promoted; a worker is killed while the partitions take it up."""
    bundle = successor(field.directory / f"bundle-{strike.number}", f"{strike.number}", strike.hold_s)
    for worker in field.fleet.workers.values():
        await field.seated(worker)
    await _told(field, "model", "load", str(bundle))
    promoting = asyncio.create_task(_told(field, "model", "promote"))
    worker = field.fleet.pick(strike.worker)
    partitions = await field.seated(worker)
    since = monotonic()
    worker.signal(signal.SIGKILL)
    recovery_s = await field.progress.recovery_s(partitions, since)
    await promoting
    sha256, deadline = load_bundle(bundle, "cpu", "fp32").sha256, monotonic() + TAKEN_UP_WITHIN_S
    while set(offsets := await asyncio.to_thread(_taken_up, field, sha256)) != set(field.all_partitions):
        if monotonic() > deadline:
            raise AssertionError(f"the new model was taken up by partitions {sorted(offsets)} only")
        await asyncio.sleep(0.5)
    field.exchanges.append(Exchange(offsets, bundle))
    return Aftermath(partitions, since, recovery_s)


async def _told(field: Field, *arguments: str) -> None:
    done = await asyncio.to_thread(field.shop.run, *arguments)
    if done.returncode != 0:
        raise AssertionError(f"streamer {' '.join(arguments)}: {done.stdout}{done.stderr}")


def _taken_up(field: Field, sha256: str) -> dict[int, int]:
    """From which offset on each partition is scored with the bundle, by the changelog."""
    found: dict[int, int] = {}
    for partition, rows in read_topic(field.broker.bootstrap, field.changelog).items():
        for row in rows:
            if row.key == CLOCK_KEY and row.value is not None:
                model = decode_record(row.value).model
                if model is not None and model.sha256 == sha256:
                    found[partition] = model.offset
    return found


FAULTS = (Fault(Kind("model-exchanged", 2, (0.1, 0.5), "the kill of a worker meanwhile"), exchange_model),)
