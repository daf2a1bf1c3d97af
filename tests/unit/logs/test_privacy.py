"""User ids in logs: pseudonyms by default, wherever they come from; in clear when asked for."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import msgspec
import pytest
import structlog
from aiokafka.errors import KafkaConnectionError

from schemas.errors import TopicError
from streamer.logs.setup import LIBRARY_LOGGERS, configure_logging

USER = "user's-7@example.org"


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


def logged(act: Callable[[], None], *, console: bool = False, show_user_ids: bool = False) -> str:
    stream = io.StringIO()
    configure_logging("console" if console else "json", "debug", stream, show_user_ids=show_user_ids)
    act()
    return stream.getvalue()


def unknown() -> None:
    empty: dict[str, int] = {}
    empty[USER]


def no_number() -> None:
    int(USER)


def no_text() -> None:
    (USER.encode() + b"\xff").decode()


def no_choice() -> None:
    msgspec.convert([USER], list[int])


def in_a_chain() -> None:
    try:
        unknown()
    except KeyError as error:
        raise RuntimeError("it went wrong") from error


def in_a_group() -> None:
    raise ExceptionGroup("several", [KeyError(USER), ValueError(f"not {USER!r}")])


@pytest.mark.parametrize("fail", [unknown, no_number, no_text, no_choice, in_a_chain, in_a_group])
@pytest.mark.parametrize("console", [False, True])
def test_what_an_exception_quotes_is_a_pseudonym(fail: Callable[[], None], console: bool) -> None:
    def act() -> None:
        try:
            fail()
        except Exception as error:
            structlog.get_logger("streamer").exception("failed")
            structlog.get_logger("streamer").critical("worker ends", error=error)
            logging.getLogger("faust").exception("Crashed reason=%r", error)
            logging.getLogger("mode").error("Crashed reason=%s", error)

    text = logged(act, console=console)
    for part in ("example.org", "user's"):
        assert part not in text
    assert text.count("Traceback (most recent call last)") >= 2
    assert "test_privacy.py" in text


def test_what_tells_no_data_stays_as_it_is() -> None:
    def act() -> None:
        for error in (TopicError("no topic 'a'"), KafkaConnectionError("to 'b'"), TypeError("not 'int'")):
            structlog.get_logger("streamer").error("failed", error=error)

    assert [json.loads(line)["error"] for line in logged(act).splitlines()] == [
        "TopicError(no topic 'a')",
        "KafkaConnectionError(KafkaConnectionError: to 'b')",
        "TypeError(not 'int')",
    ]


def test_a_user_has_one_pseudonym_in_a_process_and_another_in_the_next() -> None:
    def act() -> None:
        for user_id in (USER, USER, "u8"):
            structlog.get_logger("streamer").info("said", user_id=user_id)

    def told() -> list[str]:
        return [json.loads(line)["user_id"] for line in logged(act).splitlines()]

    first, again, other = told()
    assert first == again != other
    assert first.startswith("~")
    assert first not in told()


def test_ids_show_when_asked_for() -> None:
    def act() -> None:
        structlog.get_logger("streamer").info("said", user_id=USER)
        structlog.get_logger("streamer").error("failed", error=KeyError(USER))

    text = logged(act, show_user_ids=True)
    assert text.count("example.org") == 2
