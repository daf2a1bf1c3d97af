"""Log lines: one JSON object each, libraries included, exceptions without local variables."""

from __future__ import annotations

import inspect
import io
import json
import logging
from collections.abc import Iterator
from importlib import import_module

import pytest
import structlog

from streamer.logs.setup import LIBRARY_LOGGERS, TALKATIVE_LOGGERS, configure_logging


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_a_library_that_repeats_itself_is_heard_once() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    for _ in range(50):
        logging.getLogger("aiokafka.conn").error("Unable connect to %s", "a:1")
        structlog.get_logger("streamer.worker.run").info("own lines are all heard")
    lines = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert lines.count("Unable connect to a:1") == 1
    assert lines.count("own lines are all heard") == 50


def test_json_lines_hold_own_and_library_events() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    structlog.get_logger("streamer.worker.run").info("batch_committed", partition=3)
    structlog.get_logger("streamer.worker.run").debug("unheard")
    logging.getLogger("aiokafka.consumer").warning("lost %s", "the leader")
    logging.getLogger("faust.app").info("unheard")
    own, library = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (own["event"], own["partition"], own["level"], own["logger"]) == (
        "batch_committed",
        3,
        "info",
        "streamer.worker.run",
    )
    assert (library["event"], library["logger"]) == ("lost the leader", "aiokafka.consumer")
    assert own["timestamp"].endswith("Z")


def test_debug_hears_the_libraries_too() -> None:
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    logging.getLogger("faust.app").info("heard")
    assert "heard" in stream.getvalue()


@pytest.mark.parametrize("name", TALKATIVE_LOGGERS)
def test_what_goes_over_the_wire_is_unheard_even_at_debug(name: str) -> None:
    """aiokafka prints whole requests: a password sent by PLAIN, and customers' events."""
    assert any(
        line.strip().startswith("log.debug(") for line in inspect.getsource(import_module(name)).splitlines()
    )
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    logging.getLogger(name).debug("Request to %s: %s", "a:1", "SaslAuthenticate(b'password')")
    logging.getLogger(name).info("heard")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_without_its_local_variables(log_format: str) -> None:
    stream = io.StringIO()
    configure_logging("json" if log_format == "json" else "console", "info", stream)
    password = "".join(["hunter", "2"])
    try:
        raise ValueError(f"{len(password)} characters")
    except ValueError:
        structlog.get_logger("streamer").exception("failed")
    assert "7 characters" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
