"""Exactly once on a real broker: what a read_committed reader finds follows from the input alone."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streamer.processes.broker import LocalBroker
from tests.integration.conftest import Broker
from tests.integration.worker.transactions_harness import PARTITIONS, Scenario, WorkerProcess, eventually
from tests.integration.worker.transactions_worker import POISON

LOAD_PER_S = 1500
LONG_AGO_MS = 1_500_000_000_000

ScenarioTest = Callable[[Callable[[Scenario], Awaitable[None]]], None]


@pytest.fixture
def scenario(
    broker: Broker, topic_prefix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> ScenarioTest:
    """Runs a coroutine function with a scenario of its own."""
    seed = sum(request.node.name.encode())

    def run(body: Callable[[Scenario], Awaitable[None]]) -> None:
        async def with_scenario() -> None:
            async with Scenario(broker.bootstrap, topic_prefix, tmp_path, seed) as opened:
                await body(opened)

        asyncio.run(with_scenario())

    return run


async def _progressed(scenario: Scenario, records: int = 1) -> None:
    await scenario.wait_for_outputs(len(await scenario.outputs()) + records)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_ended_three_times_mid_load_and_restarted(scenario: ScenarioTest, end: signal.Signals) -> None:
    async def body(scenario: Scenario) -> None:
        async with scenario.load(LOAD_PER_S):
            for _ in range(3):
                worker = scenario.worker()
                await _progressed(scenario)
                await asyncio.sleep(scenario.random.uniform(0, 1))
                worker.signal(end)
                assert worker.wait() == (0 if end == signal.SIGTERM else -signal.SIGKILL)
            scenario.worker()
            await _progressed(scenario)
        await scenario.assert_exactly_once()

    scenario(body)


def test_workers_join_in_quick_succession_and_leave(scenario: ScenarioTest) -> None:
    async def body(scenario: Scenario) -> None:
        async with scenario.load(LOAD_PER_S):
            first = scenario.worker("first")
            await _progressed(scenario, LOAD_PER_S)
            second = scenario.worker("second")
            await _logged(second, "Worker ready")
            third = scenario.worker("third")
            await _logged(third, "Worker ready")
            await _progressed(scenario, LOAD_PER_S)
            for leaving in (second, third):
                leaving.signal(signal.SIGTERM)
                assert leaving.wait() == 0
            await _progressed(scenario, LOAD_PER_S)
            assert first.exit_code is None
        await scenario.assert_exactly_once()

    scenario(body)


def test_worker_frozen_past_its_session_is_fenced_and_ends(scenario: ScenarioTest, tmp_path: Path) -> None:
    async def body(scenario: Scenario) -> None:
        freeze_file = tmp_path / "freeze"
        async with scenario.load(LOAD_PER_S), AsyncExitStack() as thaw:
            frozen = scenario.worker("first", freeze_file=str(freeze_file))
            thaw.callback(frozen.signal, signal.SIGCONT)
            await _progressed(scenario)
            freeze_file.touch()
            await eventually(lambda: not freeze_file.exists(), "the worker to freeze")
            scenario.worker("second")
            await _progressed(scenario, LOAD_PER_S)
        assert frozen.wait() == 1
        assert "fenced" in frozen.log.read_text()
        await scenario.assert_exactly_once()

    scenario(body)


def test_broker_killed_and_restarted_and_gone_when_the_worker_stops(
    own_broker: LocalBroker, tmp_path: Path
) -> None:
    async def body() -> None:
        async with Scenario(own_broker.bootstrap, "t.", tmp_path, seed=1) as scenario:
            worker = scenario.worker()

            async def all_answered() -> bool:
                # A worker whose commit was cut off cannot know how that ended. It may end itself, and
                # its supervisor starts it again.
                nonlocal worker
                if worker.exit_code is not None:
                    worker = scenario.worker()
                return len(await scenario.outputs()) >= len(scenario.sent)

            async with scenario.load(LOAD_PER_S):
                await _progressed(scenario)
                own_broker.kill()
                await asyncio.to_thread(own_broker.restart)
            await eventually(all_answered, "an output for each record")
            await scenario.assert_exactly_once()
            own_broker.kill()
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0

    asyncio.run(body())


def test_stage_failure_ends_the_process_and_commits_nothing_of_the_batch(scenario: ScenarioTest) -> None:
    async def body(scenario: Scenario) -> None:
        worker = scenario.worker(refuse_poison=True)
        await scenario.send(500)
        await scenario.wait_for_outputs(500)
        await scenario.send_one("user-1", POISON)
        await scenario.send(500)
        assert worker.wait() == 1
        assert "stage failed" in worker.log.read_text()
        outputs = await scenario.outputs()
        assert [output.revision for output in outputs if output.user == "user-1"] == list(
            range(1, 1 + sum(user == "user-1" for user, _ in scenario.sent[:500]))
        )
        scenario.worker()
        await scenario.assert_exactly_once()

    scenario(body)


@pytest.mark.parametrize("stored", ["older", "lost"])
def test_table_is_recovered_from_the_changelog(scenario: ScenarioTest, tmp_path: Path, stored: str) -> None:
    async def body(scenario: Scenario) -> None:
        await scenario.send(1000)
        worker = scenario.worker()
        await scenario.wait_for_outputs(1000)
        worker.signal(signal.SIGTERM)
        worker.wait()
        shutil.copytree(tmp_path / "first", tmp_path / "older")
        worker = scenario.worker()
        await scenario.send(1000)
        await scenario.wait_for_outputs(2000)
        worker.kill()
        shutil.rmtree(tmp_path / "first")
        if stored == "older":
            shutil.move(tmp_path / "older", tmp_path / "first")
        scenario.worker()
        await scenario.send(1000)
        await scenario.assert_exactly_once()

    scenario(body)


@pytest.mark.parametrize("padding", [30_000, 1_500_000], ids=["many batches", "larger than a batch"])
def test_transaction_beyond_one_record_batch(scenario: ScenarioTest, padding: int) -> None:
    async def body(scenario: Scenario) -> None:
        scenario.worker(padding=padding)
        await scenario.send(50)
        await scenario.assert_exactly_once()

    scenario(body)


def test_wall_time_only_when_caught_up_and_then_also_without_records(scenario: ScenarioTest) -> None:
    async def body(scenario: Scenario) -> None:
        await scenario.send(4000, LONG_AGO_MS)
        scenario.worker(answer_ticks=True)
        outputs = await scenario.wait_for_outputs(4000 + PARTITIONS)
        answers = [output for output in outputs if output.user]
        # Only the last batch of each partition reached the end of what was sent.
        assert 0 < sum(output.current for output in answers) <= PARTITIONS * scenario.arguments.max_batch
        assert sum(not output.user for output in outputs) == PARTITIONS
        await scenario.assert_exactly_once()

    scenario(body)


def test_tick_before_the_first_batch_leaves_the_offset_alone(scenario: ScenarioTest) -> None:
    async def body(scenario: Scenario) -> None:
        await scenario.send(1000)
        for ticks in (1, 2, 3):
            worker = scenario.worker(answer_ticks=True)
            await scenario.wait_for_outputs(1000 + ticks * PARTITIONS)
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0
        assert len(await scenario.outputs()) == 1000 + 3 * PARTITIONS
        await scenario.assert_exactly_once()

    scenario(body)


async def _logged(worker: WorkerProcess, text: str) -> None:
    await eventually(lambda: text in worker.log.read_text(), f"{text!r} in {worker.log}")
