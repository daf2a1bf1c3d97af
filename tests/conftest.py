"""Fixtures for every kind of test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Two cores are shared by brokers, workers and tests: numeric libraries must not take them all.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Started in the background, the tests would ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


OWN_BROKER = ("bench", "demo", "demo_page", "secure_connections")


class SharedBroker(LoadScopeScheduling):
    """Shares tests out by module, those that share a broker all to one process.

    That is the longest way through the tests; the few whose subject brings its own broker run beside it.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if Path(module).stem in {f"test_{name}" for name in OWN_BROKER}:
            return module
        return "broker" if module.startswith(("tests/integration/", "tests/faults/test_campaign")) else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedBroker:
    """What xdist asks where tests run side by side."""
    return SharedBroker(config, log)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ``STREAMER_*`` variables never decide the outcome of a test."""
    for name in list(os.environ):
        if name.startswith("STREAMER_"):
            monkeypatch.delenv(name)
