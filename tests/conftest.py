"""Fixtures for every kind of test."""

from __future__ import annotations

import os
import signal

import pytest

# Two cores are shared by brokers, workers and tests: numeric libraries must not take them all.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Started in the background, the tests would ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


# First, since xdist reads the marks in a hook of the same name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together where they run side by side.

    Those that need a broker share one, and the cores are too few for two of them at a time; others share
    what their module prepares.
    """
    for item in items:
        module = item.nodeid.partition("::")[0]
        group = "broker" if module.startswith("tests/integration/") else module
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ``STREAMER_*`` variables never decide the outcome of a test."""
    for name in list(os.environ):
        if name.startswith("STREAMER_"):
            monkeypatch.delenv(name)
