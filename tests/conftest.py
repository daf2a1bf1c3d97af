"""Fixtures for every kind of test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Two cores are shared by brokers, workers and tests: numeric libraries must not take them all.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Nor is it a test's affair how long an example takes on a machine that does other things, too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Started in the background, the tests would ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Where there is a long way to go, it is begun first: what is left in the end is short.
LONGEST_FIRST = (
    "worker",
    "operations",
    "tests/integration/documents/test_docs.py::test_the_commands_about_models",
    "tests/property/test_simulation.py",
    "tests/unit/models/loop/test_checkpoints.py",
    "tests/unit/cli/test_training_command.py",
    "tests/integration/documents/test_docs.py::test_the_commands_of_a_document",
    "tests/integration/bench",
    "tests/unit/models",
    "tests/unit/inference",
)
OWN_BROKER = ("bench", "demo", "demo_page", "secure_connections")


def line_of(nodeid: str) -> str:
    """What a test runs in line with, in one process: its module, or all that share a broker.

    There are two lines with a broker, of the worker's tests and of what operators and integrators do. What
    brings its own goes anywhere.
    """
    module = nodeid.partition("::")[0]
    name = Path(module).stem.removeprefix("test_")
    if name == "docs":
        return nodeid
    if name in OWN_BROKER:
        return module
    if module.startswith(("tests/integration/worker/", "tests/faults/test_campaign")):
        return "worker"
    return "operations" if module.startswith("tests/integration/") else module


class Lines(LoadScopeScheduling):
    """Shares the tests out line by line."""

    def _split_scope(self, nodeid: str) -> str:
        return line_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lines:
    """What xdist asks where tests run side by side."""
    config.option.loadscopereorder = False
    return Lines(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long in front, in the order of :data:`LONGEST_FIRST`."""

    def place(item: pytest.Item) -> int:
        line = line_of(item.nodeid)
        starts = (at for at, start in enumerate(LONGEST_FIRST) if line.startswith(start))
        return next(starts, len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ``STREAMER_*`` variables never decide the outcome of a test."""
    for name in list(os.environ):
        if name.startswith("STREAMER_"):
            monkeypatch.delenv(name)
