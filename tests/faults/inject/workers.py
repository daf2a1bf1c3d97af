"""Workers killed, asked to end, frozen past their session, joining and leaving."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from streamer.worker.runtime.application import SESSION_TIMEOUT_S
from tests.faults.inject.field import TAKEN_OVER, Aftermath, Fault, Field, until
from tests.faults.schedule import Kind, Strike

NEWCOMER_DEADLINE_S = 60.0


async def kill(field: Field, strike: Strike) -> Aftermath:
    """SIGKILL: the process is gone in the middle of whatever it did."""
    worker = field.fleet.pick(strike.worker)
    partitions = await field.seated(worker)
    since = monotonic()
    worker.signal(signal.SIGKILL)
    return Aftermath(partitions, since)


async def kill_twice(field: Field, strike: Strike) -> Aftermath:
    """SIGKILL, and once more to the process that has just begun to recover."""
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    worker.signal(signal.SIGKILL)
    await until(lambda: len(worker.exits) > ended_before, f"the end of the killed {worker.name}")
    await asyncio.sleep(strike.hold_s)
    since = monotonic()
    worker.signal(signal.SIGKILL)
    return Aftermath(partitions, since)


async def terminate(field: Field, strike: Strike) -> Aftermath:
    """SIGTERM: the process ends in order; the supervisor starts it again."""
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    worker.signal(signal.SIGTERM)
    await until(lambda: len(worker.exits) > ended_before, f"the end of {worker.name} after SIGTERM")
    ended_at, status = worker.exits[ended_before]
    if status != 0:
        raise AssertionError(f"{worker.name} ended with status {status} after SIGTERM")
    return Aftermath(partitions, ended_at)


async def freeze(field: Field, strike: Strike) -> Aftermath:
    """SIGSTOP for longer than the session, then SIGCONT: the zombie must end, or join the group anew.

    It ends if it has a transaction on its way, which is fenced. Else it hears first that it is no member
    any more, and gets partitions as a newcomer does.
    """
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    previous_status, since = field.fleet.said_since_start(worker).count(TAKEN_OVER), monotonic()
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(SESSION_TIMEOUT_S + strike.hold_s)
    worker.signal(signal.SIGCONT)
    await until(
        lambda: (
            len(worker.exits) > ended_before
            or field.fleet.said_since_start(worker).count(TAKEN_OVER) > previous_status
        ),
        f"the thawed {worker.name} to end or to join anew",
    )
    ends = [status for _, status in worker.exits[ended_before:]]
    if ends and ends[0] != 1:
        raise AssertionError(f"the thawed {worker.name} ended with status {ends[0]}, not 1")
    return Aftermath(partitions, since)


async def join_and_leave(field: Field, strike: Strike) -> Aftermath:
    """One worker more for a while; what counts is the longest pause of a partition meanwhile."""
    name = f"guest{strike.number}"
    since = monotonic()
    guest = field.fleet.add(name)
    deadline = since + NEWCOMER_DEADLINE_S
    while not (await field.progress.owners()).get(field.shop.instance_id(name)):
        if guest.exits or monotonic() > deadline:
            raise AssertionError(f"{name} has got no partition; its log: {field.shop.log(name)[-2000:]}")
        await asyncio.sleep(0.1)
    await field.progress.recovery_s(field.all_partitions, monotonic())
    await asyncio.sleep(strike.hold_s)
    left = monotonic()
    status = await field.fleet.remove(name)
    if status != 0:
        raise AssertionError(f"{name} ended with status {status} when it was to leave")
    await field.progress.recovery_s(field.all_partitions, left)
    return Aftermath(field.all_partitions, since, field.progress.longest_pause_s(since))


FAULTS = (
    Fault(Kind("kill", 20, (0, 0), "the signal"), kill),
    Fault(Kind("kill-recovering", 4, (1, 4), "the second signal"), kill_twice),
    Fault(Kind("terminate", 20, (0, 0), "the process's end"), terminate),
    Fault(Kind("freeze", 8, (1, 4), "the moment of freezing"), freeze),
    Fault(Kind("join-and-leave", 12, (0, 2), "the longest pause of a partition"), join_and_leave),
)
