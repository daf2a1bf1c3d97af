"""What was wrong with a record: an error of the decoder as a short class and a sentence.

The sentences name fields, never their content: dead letters are read by people who need not see it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import MalformedEventError
from schemas.timestamps import format_timestamp

# msgspec tells its refusals apart by their wording only; the first phrase found decides.
_CLASS_BY_PHRASE: Final = (
    ("Expected `object`, got", "not-an-object"),
    ("missing required field", "missing-field"),
    ("Invalid RFC3339", "bad-timestamp"),
    ("with a timezone", "bad-timestamp"),
    ("Expected `str` of length", "bad-length"),
    ("Number out of range", "number-out-of-range"),
    ("Expected `float` >=", "number-out-of-range"),
    ("Expected `float` <=", "number-out-of-range"),
)
_IDS: Final = ("event_id`", "user_id`", "item_id`", "session_id`")


def malformed_by_decoder(error: Exception, format_name: str) -> MalformedEventError:
    """The malformed-event error of what msgspec raised for a record in ``format_name``."""
    if isinstance(error, UnicodeDecodeError):
        return MalformedEventError(
            "not-utf8", f"The record is not UTF-8: byte {error.object[error.start]:#04x} in one of its texts."
        )
    if isinstance(error, RecursionError):
        return MalformedEventError("too-deep", "The record is nested too deeply to be read.")
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return MalformedEventError(
            f"not-{format_name.lower()}", f"The record is not {format_name}: {message}."
        )
    error_class = next((name for phrase, name in _CLASS_BY_PHRASE if phrase in message), "wrong-type")
    path = message.rpartition(" - at ")[2]
    if error_class == "not-an-object" and path != message:
        error_class = "wrong-type"
    if error_class == "bad-length":
        error_class = "bad-id" if path.endswith(_IDS) else "bad-text"
    return MalformedEventError(error_class, f"The event does not fit its schema: {message}.")


def malformed_id(field: str) -> MalformedEventError:
    """The error of an id that holds U+0000, which many stores cut an id at."""
    return MalformedEventError("bad-id", f"The event's {field} holds the character U+0000.")


def malformed_time(epoch_ms: int, earliest_ms: int, record_timestamp_ms: int) -> MalformedEventError:
    """The error of an event whose time is before ``earliest_ms`` or too far ahead of its record."""
    if epoch_ms < earliest_ms:
        return MalformedEventError(
            "timestamp-too-early",
            f"The event's time {_readable(epoch_ms)} is before {_readable(earliest_ms)}; "
            "send RFC 3339 or milliseconds (not seconds) since 1970.",
        )
    return MalformedEventError(
        "timestamp-in-future",
        f"The event's time {_readable(epoch_ms)} is more than a day ahead of its record's time "
        f"{_readable(record_timestamp_ms)}.",
    )


def _readable(epoch_ms: int) -> str:
    try:
        return format_timestamp(epoch_ms)
    except (ValueError, OverflowError):
        return "out of any calendar"
