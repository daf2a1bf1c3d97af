"""Every error this project raises on purpose, as one tree.

::

    ChurnStreamerError
    ├── ConfigurationError    a setting or an option is unknown, missing or wrong
    ├── MalformedEventError   a record cannot become an event; it goes to the dead-letter topic
    ├── BundleError           a model bundle is damaged, incomplete or of another format
    ├── BrokerError           the broker cannot be reached or started
    ├── TopicError            topics are missing or their partitions do not fit
    ├── StateError            stored state is damaged or of a newer version
    └── InputFileError        a file of events cannot be read; names file, row and column

Each message names the thing at fault and says what to do next. ``exit_code`` is what the console
script ends with when the error reaches it: 1 the job failed, 2 wrong use.
"""

from __future__ import annotations


class ChurnStreamerError(Exception):
    """Base of the tree; catch it to catch everything that is reported in words."""

    exit_code: int = 1


class ConfigurationError(ChurnStreamerError):
    """A setting is unknown, missing or wrong: names the setting and what was expected."""

    exit_code = 2


class MalformedEventError(ChurnStreamerError):
    """A record that cannot become an event.

    ``error_class`` is the short, stable cause (``not-json``, ``missing-field``, …) by which dead
    letters are grouped.
    """

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


class BundleError(ChurnStreamerError):
    """A model bundle is refused: a hash, a golden vector, a shape or the format version does not fit."""


class BrokerError(ChurnStreamerError):
    """The broker cannot be reached or started."""


class TopicError(ChurnStreamerError):
    """Topics are missing, or their partitions do not fit each other."""


class StateError(ChurnStreamerError):
    """Stored state is damaged, or was written by a newer version."""


class InputFileError(ChurnStreamerError):
    """A file of events cannot be read: names the file, the row and the column."""
