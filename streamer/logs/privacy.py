"""Logs without users: ids become pseudonyms, also where an exception quotes what it stumbled over."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import sys
import traceback
from typing import Any, Final

from aiokafka.errors import KafkaError
from structlog.typing import EventDict

from schemas.errors import ChurnStreamerError

_SHOWN: Final = 10
_QUOTED: Final = re.compile(r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*\"""")
# Of these the text is ours, the broker's or the interpreter's about code and files; others quote data.
_TELL_NO_DATA: Final = (
    ChurnStreamerError, KafkaError, OSError, TypeError, AttributeError, NameError, ImportError,
)  # fmt: skip


class Privacy(logging.Filter):
    """A log handler's filter, and a processor of structlog.

    ``user_id`` of a log line and what exceptions quote become pseudonyms: the same for the same text until
    the process ends, and another one after, so that nobody can try ids out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._key = secrets.token_bytes(16)

    def pseudonym(self, text: str) -> str:
        """Stands for ``text`` in this process's log."""
        return "~" + hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:_SHOWN]

    def filter(self, record: logging.LogRecord) -> bool:
        """Exceptions among a library's arguments, in words of ours; every line passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                self._in_words(argument) if isinstance(argument, BaseException) else argument
                for argument in record.args
            )
        return True

    def __call__(self, _logger: Any, _method: str, line: EventDict) -> EventDict:
        """A line of structlog."""
        for name, value in line.items():
            if name == "user_id":
                line[name] = self.pseudonym(value)
            elif isinstance(value, BaseException):
                line[name] = str(self._in_words(value))
        exc_info = line.pop("exc_info", None)
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        if error is True:
            error = sys.exc_info()[1]
        if isinstance(error, BaseException):
            line["exception"] = self._traceback(error)
        return line

    def _traceback(self, error: BaseException) -> str:
        text = "".join(traceback.format_exception(error)).rstrip()
        for each in _chain(error):
            shown = str(each)
            if shown:
                text = text.replace(shown, self._without_data(each))
        return text

    def _in_words(self, error: BaseException) -> _Words:
        return _Words(f"{type(error).__name__}({self._without_data(error)})")

    def _without_data(self, error: BaseException) -> str:
        if isinstance(error, _TELL_NO_DATA):
            return str(error)
        return _QUOTED.sub(lambda found: self.pseudonym(found[0]), str(error))


class _Words(str):
    """A text that looks the same formatted by ``%s`` and by ``%r``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _chain(error: BaseException) -> list[BaseException]:
    """The error with its causes, contexts and parts."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or any(each is one for one in found):
            continue
        found.append(each)
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
    return found
