"""Secrets among the settings: given as they are, or kept in a file of their own."""

from __future__ import annotations

from typing import Literal

from schemas.errors import ConfigurationError
from streamer.settings.secret import Secret
from streamer.settings.settings import Settings


def secret_of(settings: Settings, name: Literal["sasl_password", "erasure_secret"]) -> Secret | None:
    """The setting ``name``, or what the file in ``{name}_file`` holds. Raises :class:`ConfigurationError`."""
    given, file = getattr(settings, name), getattr(settings, f"{name}_file")
    if file is None:
        return given
    if given is not None:
        raise ConfigurationError(f"{name} and {name}_file are both set: leave one out")
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{name}_file: {file} cannot be read: {reason}") from error
    if not text:
        raise ConfigurationError(f"{name}_file: {file} is empty, a secret was expected")
    return Secret(text)
